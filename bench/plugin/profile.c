// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of qemu: how many instructions ran at each place between two marks in the guest's
 * program, in kernel and program.
 *
 *   -plugin profile.so,begin=ADDRESS,end=ADDRESS,out=FILE
 *
 * Writes a line "ADDRESS COUNT" for each translated block that ran.  What a block counts when
 * it is left early is a few instructions too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

int qemu_plugin_version = 1;

#define PIECE	4096
#define PIECES	4096

/* @count is added to by the translated code; @sum is what it did between the marks. */
struct block {
	unsigned long address;
	unsigned long count;
	unsigned long before;
	unsigned long sum;
};

/* Blocks never move, for the code has their address. */
static struct block *pieces[PIECES];
static unsigned long nr_blocks;
static unsigned long begin_address, end_address;
static const char *out;

static struct block *block_at(unsigned long i)
{
	return &pieces[i / PIECE][i % PIECE];
}

static struct block *block_new(unsigned long address)
{
	unsigned long piece = nr_blocks / PIECE;

	if (piece == PIECES)
		return NULL;
	if (!pieces[piece])
		pieces[piece] = calloc(PIECE, sizeof(struct block));
	if (!pieces[piece])
		return NULL;
	block_at(nr_blocks)->address = address;
	return block_at(nr_blocks++);
}

static void begun(unsigned int processor, void *data)
{
	unsigned long i;

	(void)processor;
	(void)data;
	for (i = 0; i < nr_blocks; i++)
		block_at(i)->before = block_at(i)->count;
}

static void ended(unsigned int processor, void *data)
{
	unsigned long i;

	(void)processor;
	(void)data;
	for (i = 0; i < nr_blocks; i++)
		block_at(i)->sum += block_at(i)->count - block_at(i)->before;
}

static void translated(unsigned long id, struct qemu_plugin_tb *tb)
{
	unsigned long address = qemu_plugin_tb_vaddr(tb);
	struct block *block = block_new(address);

	(void)id;
	if (address == begin_address)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, begun, 0, NULL);
	if (address == end_address)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, ended, 0, NULL);
	if (block)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &block->count,
							 qemu_plugin_tb_n_insns(tb));
}

static void write_all(unsigned long id, void *data)
{
	FILE *file = fopen(out, "w");
	unsigned long i;

	(void)id;
	(void)data;
	if (!file)
		return;
	for (i = 0; i < nr_blocks; i++)
		if (block_at(i)->sum)
			fprintf(file, "%lx %lu\n", block_at(i)->address,
				block_at(i)->sum);
	fclose(file);
}

static int parse(const char *argument)
{
	if (!strncmp(argument, "begin=", 6))
		begin_address = strtoull(argument + 6, NULL, 16);
	else if (!strncmp(argument, "end=", 4))
		end_address = strtoull(argument + 4, NULL, 16);
	else if (!strncmp(argument, "out=", 4))
		out = strdup(argument + 4);
	else
		return -1;
	return 0;
}

int qemu_plugin_install(unsigned long id, const struct qemu_info *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (parse(argv[i]))
			return -1;
	if (!begin_address || !end_address || !out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_all, NULL);
	return 0;
}
