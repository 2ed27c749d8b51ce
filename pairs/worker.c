// SPDX-License-Identifier: GPL-2.0
/*
 * Workers too many: a worker that is woken, finds nothing to do and 8 others idle, ends
 * at once.  To have more than 8, as many operations occupy one each for a moment: on the
 * thread engine reads that wait, on the poll engine reads whose buffer is a page that
 * does not come.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pairs.h"

#define PAGE	4096
/* Idle workers that stay. */
#define KEPT	8

static void open_pages(void)
{
	struct uffdio_register missing = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	stage->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	stage->pages = mmap(NULL, FILLERS * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	missing.range.start = (unsigned long)stage->pages;
	missing.range.len = FILLERS * PAGE;
	if (stage->pages == MAP_FAILED || stage->uffd < 0 ||
	    ioctl(stage->uffd, UFFDIO_API, &api) ||
	    ioctl(stage->uffd, UFFDIO_REGISTER, &missing))
		violation("no userfaultfd: %s", strerror(errno));
}

/* Filler 0 is the decoy. */
void workers_open(int fillers)
{
	int i;

	stage->nr_fillers = fillers;
	for (i = 0; i < fillers; i++)
		if (unix_pair(SOCK_STREAM, stage->fillers[i]) ||
		    cio_attach(stage->fd, stage->fillers[i][0], &stage->filler_conns[i]))
			violation("no socket for a worker");
	stage->decoy = stage->filler_conns[0];
	stage->surplus = 0;
	if (stage->config->engine == CANCELIO_ENGINE_POLL)
		open_pages();
}

void workers_close(void)
{
	int i;

	for (i = 0; i < stage->nr_fillers; i++) {
		close(stage->fillers[i][0]);
		close(stage->fillers[i][1]);
	}
	if (stage->config->engine == CANCELIO_ENGINE_THREAD)
		return;
	munmap(stage->pages, FILLERS * PAGE);
	close(stage->uffd);
}

static int workers(void)
{
	return stage_references() - 1;
}

static void occupy(int i)
{
	struct cancelio_op op = op_recv(stage->filler_conns[i], stage->pages + i * PAGE, 1);

	if (stage->config->engine == CANCELIO_ENGINE_THREAD)
		op.addr = (unsigned long)stage->drain;
	else if (write(stage->fillers[i][1], "f", 1) != 1)
		violation("a filler's peer: %s", strerror(errno));
	if (submit_one(stage->fd, with_flags(op, CANCELIO_OP_WORKER)) != 1)
		violation("a filler is refused");
}

static void reap_filler(void)
{
	struct cancelio_completion end;
	__s64 limit = after(longest);

	if (!stage->mapped) {
		if (reap(stage->fd, &end) != 1)
			violation("a filler is lost");
		return;
	}
	while (!ring_pop(stage->ring, &end)) {
		if (now() > limit)
			violation("a filler is lost");
		let_others();
	}
}

/* Each of them stands in a fault; then all pages come. */
static void release_pages(void)
{
	size_t len = stage->nr_fillers * PAGE;
	struct uffdio_zeropage zeros = {
		.range = { .start = (unsigned long)stage->pages, .len = len },
	};
	struct uffd_msg message;
	int i;

	for (i = 0; i < stage->nr_fillers; i++)
		if (read(stage->uffd, &message, sizeof(message)) != sizeof(message))
			violation("a filler does not come to its page");
	if (ioctl(stage->uffd, UFFDIO_ZEROPAGE, &zeros))
		violation("pages cannot be released: %s", strerror(errno));
}

static void release_threads(void)
{
	__s64 end = after(longest);
	int i;

	while (workers() < stage->nr_fillers) {
		if (now() > end)
			violation("there are %d threads only", workers());
		let_others();
	}
	for (i = 0; i < stage->nr_fillers; i++)
		cio_cancel(stage->fd, CANCELIO_CANCEL_CONN, stage->filler_conns[i],
			   CANCELIO_READ);
}

/* Before a round, while nothing else is on. */
void workers_refill(void)
{
	int i;

	stage->exits = 0;
	stage->surplus = workers() - KEPT;
	if (stage->surplus > 1)
		return;
	for (i = 0; i < stage->nr_fillers; i++)
		occupy(i);
	if (stage->config->engine == CANCELIO_ENGINE_THREAD)
		release_threads();
	else
		release_pages();
	for (i = 0; i < stage->nr_fillers; i++)
		reap_filler();
	if (stage->config->engine == CANCELIO_ENGINE_POLL)
		madvise(stage->pages, FILLERS * PAGE, MADV_DONTNEED);
	stage->surplus = workers() - KEPT;
}

/* After a round: those that are not there any more. */
void workers_count(void)
{
	int left = workers() - KEPT;

	if (left < stage->surplus)
		stage->exits = stage->surplus - left;
}
