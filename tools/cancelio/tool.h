/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The program cancelio: what the module can do here, who uses it, and what it costs.  Its
 * commands, and what they share.
 */
#ifndef CANCELIO_TOOL_H
#define CANCELIO_TOOL_H

#include <json-c/json.h>
#include <linux/cancelio.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit codes; that of a wrong command line is argp's as well. */
enum exit_code {
	EXIT_FINE	= 0,
	EXIT_SHORT	= 1,
	EXIT_USAGE	= 2,
};

/* The commands: an exit code. */
int info_main(int argc, char **argv);
int top_main(int argc, char **argv);
int bench_main(int argc, char **argv);

/* As struct option of argp has them. */
#define OPTION_JSON { "json", 'j', NULL, 0, "print JSON", 0 }

/* main.c: a number of an option, from @least to @most, or a whole one; a usage error else. */
struct argp_state;
double number_of(struct argp_state *state, const char *text, double least, double most);
unsigned long count_of(struct argp_state *state, const char *text, double most);
/* Print and give up the object: on several lines, or on one. */
void print_json(struct json_object *object, bool pretty);
/* Give an object a member. */
void add_text(struct json_object *to, const char *key, const char *text);
void add_number(struct json_object *to, const char *key, unsigned long long number);
void add_double(struct json_object *to, const char *key, double number);

#endif
