// SPDX-License-Identifier: GPL-2.0
/* Programs made up, and programs changed. */
#include "program.h"

#include <string.h>

__u64 rng_next(struct rng *rng)
{
	__u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u32 rng_below(struct rng *rng, __u32 below)
{
	return (rng_next(rng) >> 32) % below;
}

static bool one_in(struct rng *rng, __u32 n)
{
	return !rng_below(rng, n);
}

/* A place in a list of @count, the earlier the likelier. */
static int early(struct rng *rng, int count)
{
	int a = rng_below(rng, count), b = rng_below(rng, count);

	return a < b ? a : b;
}

static __s64 random_bits(const struct word *words, struct rng *rng)
{
	__s64 bits = 0;
	int count = 0;

	while (words[count].name)
		count++;
	while (one_in(rng, 2))
		bits |= words[early(rng, count)].value;
	return bits;
}

static __s64 random_value(enum kind what, struct rng *rng)
{
	const struct kind_info *kind = &kinds[what];
	int count = 0;

	if (kind->bits)
		return random_bits(kind->words, rng);
	if (kind->below)
		return early(rng, kind->below);
	if (kind->words && (!kind->usual || one_in(rng, 6))) {
		while (kind->words[count].name)
			count++;
		return kind->words[early(rng, count)].value;
	}
	while (kind->usual[count] != USUAL_END)
		count++;
	if (one_in(rng, 8))
		return rng_below(rng, 5000);
	return kind->usual[early(rng, count)];
}

static void random_args(struct step *step, struct rng *rng)
{
	int i;

	for (i = 0; i < verb_args(step->verb); i++)
		step->arg[i] = random_value(verbs[step->verb].args[i], rng);
	if (verb_submits(step->verb)) {
		/* Mostly sound ones, for a refused operation ends there. */
		if (!one_in(rng, 5))
			step->arg[OP_BUF] = BUF_OK;
		if (!one_in(rng, 3))
			step->arg[OP_MSG] = 0;
		if (!(step->arg[OP_FLAGS] & 3) && !one_in(rng, 20))
			step->arg[OP_TIME] = 0;
		if (step->verb == V_READY && !step->arg[OP_MSG])
			step->arg[OP_MSG] = one_in(rng, 3) ? 4 : 1;
	}
	if (step->verb == V_DEADLINE && !step->arg[1] && !one_in(rng, 20))
		step->arg[1] = 1 + rng_below(rng, 3);
	if (step->verb == V_CANCEL && !one_in(rng, 20)) {
		if (step->arg[1] != SCOPE_CONN)
			step->arg[3] = 0;
		else if (!step->arg[3])
			step->arg[3] = 3;
	}
}

static int random_verb(struct rng *rng)
{
	int verb, total = 0;

	for (verb = 0; verb < VERBS; verb++)
		total += verbs[verb].weight;
	total = rng_below(rng, total);
	for (verb = 0; total >= verbs[verb].weight; verb++)
		total -= verbs[verb].weight;
	return verb;
}

static void random_step(struct step *step, int threads, struct rng *rng)
{
	memset(step, 0, sizeof(*step));
	step->verb = random_verb(rng);
	step->thread = rng_below(rng, threads);
	random_args(step, rng);
}

static void add(struct program *program, enum verb verb, __s64 a, __s64 b, __s64 c,
		__s64 d)
{
	struct step step = { .verb = verb, .arg = { a, b, c, d } };

	if (program->count < MAX_STEPS)
		program->steps[program->count++] = step;
}

/* A context or two, a pair or two of sockets, attached; then anything. */
void program_generate(struct program *program, struct rng *rng)
{
	int contexts = one_in(rng, 4) ? 2 : 1, pairs = one_in(rng, 3) ? 2 : 1;
	int threads = one_in(rng, 2) ? 1 : 1 + rng_below(rng, THREADS);
	int i, steps = 4 + rng_below(rng, 20);

	program->count = 0;
	for (i = 0; i < contexts; i++) {
		add(program, V_OPEN, i, rng_below(rng, 2),
		    random_value(K_ENTRIES, rng), random_value(K_WORKERS, rng));
		if (one_in(rng, 2))
			add(program, V_MAP, i, 0, 0, 0);
	}
	for (i = 0; i < pairs; i++) {
		add(program, V_PAIR, i, rng_below(rng, 7), 0, 0);
		add(program, V_ATTACH, 2 * i, i % contexts, 2 * i, 0);
		if (one_in(rng, 2))
			add(program, V_ATTACH, 2 * i + 1, rng_below(rng, contexts), 2 * i + 1, 0);
	}
	if (threads > 1)
		add(program, V_SYNC, 0, 0, 0, 0);
	for (i = 0; i < steps && program->count < MAX_STEPS; i++)
		random_step(&program->steps[program->count++], threads, rng);
	program_settle(program);
}

void program_remove(struct program *program, int at)
{
	memmove(&program->steps[at], &program->steps[at + 1],
		(program->count - at - 1) * sizeof(struct step));
	program->count--;
}

static void insert(struct program *program, int at, const struct step *step)
{
	if (program->count == MAX_STEPS)
		return;
	memmove(&program->steps[at + 1], &program->steps[at],
		(program->count - at) * sizeof(struct step));
	program->steps[at] = *step;
	program->count++;
}

static void change_arg(struct step *step, struct rng *rng)
{
	struct step fresh = *step;
	int count = verb_args(step->verb), which;

	if (!count)
		return;
	which = rng_below(rng, count);
	random_args(&fresh, rng);
	step->arg[which] = fresh.arg[which];
}

static void splice(struct program *program, const struct program *other, struct rng *rng)
{
	int from, count, at = rng_below(rng, program->count + 1);

	if (!other->count)
		return;
	from = rng_below(rng, other->count);
	count = 1 + rng_below(rng, 6);
	while (count-- && from < other->count)
		insert(program, at++, &other->steps[from++]);
}

static void mutate_once(struct program *program, const struct program *other, struct rng *rng)
{
	int at = program->count ? rng_below(rng, program->count) : 0;
	struct step step;

	switch (rng_below(rng, program->count ? 10 : 1)) {
	case 0: case 1: case 2:
		random_step(&step, THREADS, rng);
		if (!one_in(rng, 3))
			step.thread = program->count ? program->steps[at].thread : 0;
		insert(program, at, &step);
		break;
	case 3:
		program_remove(program, at);
		break;
	case 4:
		step = program->steps[at];
		insert(program, rng_below(rng, program->count + 1), &step);
		break;
	case 5: case 6: case 7:
		change_arg(&program->steps[at], rng);
		break;
	case 8:
		program->steps[at].thread = rng_below(rng, THREADS);
		break;
	default:
		splice(program, other, rng);
	}
}

void program_mutate(struct program *program, const struct program *other, struct rng *rng)
{
	do {
		mutate_once(program, other, rng);
	} while (!one_in(rng, 3));
	program_settle(program);
}
