// SPDX-License-Identifier: GPL-2.0
/*
 * cancelio info, top, bench: the command line as far as no command has it, and JSON.
 */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

const char *argp_program_version = "cancelio " VERSION;

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *title;
} commands[] = {
	{ "info", info_main, "cancelio info" },
	{ "top", top_main, "cancelio top" },
	{ "bench", bench_main, "cancelio bench" },
};

static const char doc[] =
	"Looks at cancelio: socket reads and writes that a deadline or a cancel can end.\n"
	"\vCommands:\n"
	"  info    what the module can do here, and whether it can be used\n"
	"  top     the contexts of all processes that can be seen\n"
	"  bench   what a receive costs here, and with what else a program could use\n"
	"\n"
	"cancelio COMMAND --help tells more.  Exit codes: 0, 1 where something falls short,\n"
	"2 for a wrong command line.";

/* Who comes here has named no command. */
static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		argp_error(state, "there is no command '%s': it is info, top or bench", arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command: info, top or bench?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

double number_of(struct argp_state *state, const char *text, double least, double most)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || !isfinite(number) || number < least || number > most)
		argp_error(state, "'%s' is not a number from %g to %g", text, least, most);
	return number;
}

unsigned long count_of(struct argp_state *state, const char *text, double most)
{
	double number = number_of(state, text, 1, most);

	if (number != (unsigned long)number)
		argp_error(state, "'%s' is not a whole number", text);
	return number;
}

void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, text ? json_object_new_string(text) : NULL);
}

void add_number(struct json_object *to, const char *key, unsigned long long number)
{
	json_object_object_add(to, key, json_object_new_uint64(number));
}

/* Three digits behind the point tell enough of seconds, rates and nanoseconds. */
void add_double(struct json_object *to, const char *key, double number)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", number);
	json_object_object_add(to, key, json_object_new_double_s(number, text));
}

void print_json(struct json_object *object, bool pretty)
{
	int how = pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
			   JSON_C_TO_STRING_PLAIN;

	puts(json_object_to_json_string_ext(object, how | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* What was printed has to have arrived. */
static int finish(int code)
{
	if (!ferror(stdout) && !fflush(stdout))
		return code;
	perror("cancelio: cannot write what there is to say");
	return EXIT_SHORT;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse, .args_doc = "info|top|bench [OPTION...]", .doc = doc,
	};
	const struct command *command;

	argp_err_exit_status = EXIT_USAGE;
	for (command = commands; argc > 1 && command < commands + 3; command++) {
		if (strcmp(argv[1], command->name))
			continue;
		/* What messages call it. */
		argv[1] = (char *)command->title;
		return finish(command->main(argc - 1, argv + 1));
	}
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	return EXIT_USAGE;
}
