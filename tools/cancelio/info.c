// SPDX-License-Identifier: GPL-2.0
/* cancelio info: what is here, and whether it can be used. */
#define _GNU_SOURCE
#include <argp.h>
#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "device.h"
#include "tool.h"

#define PARAMETERS "/sys/module/cancelio/parameters"

/* Words for the bits that struct cancelio_info has. */
static const char *const engines[] = { "poll", "thread", NULL };

static const char *const operations[] = {
	"recv", "send", "recvmsg", "sendmsg", "wait_ready", NULL
};

static const char *const ioctls[] = {
	"info", "setup", "attach", "detach", "submit", "call", "wait", "wait_op", "cancel",
	"set_deadline", "shutdown", "eventfd", "restrict", "stats", NULL
};

static const char *const flags[] = {
	"deadline", "timeout", "nowait", "worker", "hold", NULL
};

static const char *const sockets[] = { "tcp", "udp", "unix", NULL };

/* What is told, as JSON has it; text is made of the same. */
static struct json_object *facts;

static bool as_json;

static struct json_object *words_of(const char *const *words, unsigned int bits)
{
	struct json_object *list = json_object_new_array();
	unsigned int known = 0, bit;
	char number[16];

	while (words[known])
		known++;
	for (bit = 0; bit < 32; bit++) {
		if (!(bits & 1U << bit))
			continue;
		snprintf(number, sizeof(number), "bit %u", bit);
		json_object_array_add(list, json_object_new_string(bit < known ? words[bit] :
								    number));
	}
	return list;
}

static void add_kernel(void)
{
	struct json_object *to = json_object_new_object();
	struct utsname kernel;

	uname(&kernel);
	add_text(to, "release", kernel.release);
	add_text(to, "machine", kernel.machine);
	json_object_object_add(facts, "kernel", to);
}

static struct json_object *json_parameters(void)
{
	struct json_object *to = json_object_new_object();
	DIR *dir = opendir(PARAMETERS);
	const struct dirent *entry;
	char file[300], line[256];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "parameters/%s", entry->d_name);
		module_read(file, line, sizeof(line));
		add_text(to, entry->d_name, line);
	}
	if (dir)
		closedir(dir);
	return to;
}

/* A kernel may be built so that a module tells neither. */
static void add_module(void)
{
	struct json_object *to = json_object_new_object();
	char line[256];

	json_object_object_add(to, "loaded", json_object_new_boolean(module_is_loaded()));
	module_read("version", line, sizeof(line));
	add_text(to, "version", line[0] ? line : NULL);
	module_read("srcversion", line, sizeof(line));
	add_text(to, "srcversion", line[0] ? line : NULL);
	json_object_object_add(to, "parameters", json_parameters());
	json_object_object_add(facts, "module", to);
}

static void add_device(const struct device *device)
{
	struct json_object *to = json_object_new_object();
	struct passwd *user = getpwuid(device->node.st_uid);
	struct group *group = getgrgid(device->node.st_gid);
	char mode[16];

	add_text(to, "path", CANCELIO_DEVICE);
	json_object_object_add(to, "exists", json_object_new_boolean(device->exists));
	if (device->exists) {
		snprintf(mode, sizeof(mode), "%04o", device->node.st_mode & 07777);
		add_text(to, "mode", mode);
		add_text(to, "user", user ? user->pw_name : "?");
		add_text(to, "group", group ? group->gr_name : "?");
	}
	json_object_object_add(to, "usable", json_object_new_boolean(device->usable));
	json_object_object_add(facts, "device", to);
}

static void add_abi(const struct cancelio_info *info)
{
	struct json_object *to = json_object_new_object();

	add_number(to, "program", CANCELIO_ABI);
	json_object_object_add(to, "module", info->abi ? json_object_new_uint64(info->abi) : NULL);
	json_object_object_add(facts, "abi", to);
}

/* Only who could ask the module knows. */
static void add_features(const struct cancelio_info *info)
{
	struct json_object *limits = json_object_new_object();
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	json_object_object_add(facts, "engines", words_of(engines, info->engines));
	json_object_object_add(facts, "operations", words_of(operations, info->ops));
	json_object_object_add(facts, "flags", words_of(flags, info->op_flags));
	json_object_object_add(facts, "ioctls", words_of(ioctls, info->ioctls));
	json_object_object_add(facts, "sockets", words_of(sockets, info->sockets));
	add_number(limits, "entries", info->max_entries);
	add_number(limits, "batch", info->max_batch);
	add_number(limits, "workers", info->max_workers);
	add_number(limits, "attached", files.rlim_cur);
	json_object_object_add(facts, "limits", limits);
}

static void add_trouble(const struct trouble *trouble)
{
	struct json_object *to = NULL;

	if (trouble->what[0]) {
		to = json_object_new_object();
		add_text(to, "what", trouble->what);
		add_text(to, "remedy", trouble->remedy);
	}
	json_object_object_add(facts, "trouble", to);
}

static struct json_object *member(struct json_object *of, const char *key)
{
	return json_object_object_get(of, key);
}

static const char *text_of(struct json_object *of, const char *key)
{
	return json_object_get_string(member(of, key));
}

static bool truth_of(struct json_object *of, const char *key)
{
	return json_object_get_boolean(member(of, key));
}

static void print_module(struct json_object *module)
{
	const char *version = text_of(module, "version"), *source = text_of(module, "srcversion");
	int count = json_object_object_length(member(module, "parameters"));

	printf("module      %s, version %s, srcversion %s\n",
	       truth_of(module, "loaded") ? "loaded" : "not loaded", version ?: "not told",
	       source ?: "not told");
	printf("parameters  %s", count ? "" : "none");
	json_object_object_foreach(member(module, "parameters"), key, value)
		printf("%s=%s ", key, json_object_get_string(value));
	putchar('\n');
}

static void print_device(struct json_object *device)
{
	printf("device      %s, ", text_of(device, "path"));
	if (truth_of(device, "exists"))
		printf("mode %s, user %s, group %s, ", text_of(device, "mode"),
		       text_of(device, "user"), text_of(device, "group"));
	else
		printf("not there, ");
	puts(truth_of(device, "usable") ? "usable" : "not usable");
}

static void print_words(const char *title, struct json_object *words)
{
	size_t i, count = json_object_array_length(words);

	printf("%-10s ", title);
	for (i = 0; i < count; i++)
		printf(" %s", json_object_get_string(json_object_array_get_idx(words, i)));
	putchar('\n');
}

static void print_features(void)
{
	static const char *const titles[] = {
		"engines", "operations", "flags", "ioctls", "sockets", NULL
	};
	struct json_object *limits = member(facts, "limits");
	size_t i;

	for (i = 0; titles[i]; i++)
		print_words(titles[i], member(facts, titles[i]));
	printf("limits      %s entries of a ring, %s operations of one submit,\n"
	       "            %s workers of a context, %s sockets attached by this process\n",
	       text_of(limits, "entries"), text_of(limits, "batch"), text_of(limits, "workers"),
	       text_of(limits, "attached"));
}

static void print_text(void)
{
	struct json_object *abi = member(facts, "abi"), *kernel = member(facts, "kernel");

	printf("kernel      %s, %s\n", text_of(kernel, "release"), text_of(kernel, "machine"));
	print_module(member(facts, "module"));
	print_device(member(facts, "device"));
	printf("abi         %s, of this program %s\n", text_of(abi, "module") ?: "not known",
	       text_of(abi, "program"));
	if (member(facts, "limits"))
		print_features();
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case 'j':
		as_json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "it takes no argument");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int info_main(int argc, char **argv)
{
	static const struct argp_option options[] = { OPTION_JSON, {} };
	static const struct argp argp = {
		options, parse, NULL,
		"Tells what cancelio is here, what it can do, and whether this user can use it,\n"
		"with 1 as its exit code where not.", NULL, NULL, NULL
	};
	struct device device;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	device_look(&device);
	facts = json_object_new_object();
	add_kernel();
	add_module();
	add_device(&device);
	add_abi(&device.info);
	if (device.info.abi)
		add_features(&device.info);
	add_trouble(&device.trouble);
	if (as_json)
		print_json(json_object_get(facts), true);
	else
		print_text();
	json_object_put(facts);
	fflush(stdout);
	trouble_print(argv[0], &device.trouble);
	return device.usable ? EXIT_FINE : EXIT_SHORT;
}
