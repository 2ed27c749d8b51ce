// SPDX-License-Identifier: GPL-2.0
#include <cancelio.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "script.h"

static struct cancelio *library;
static struct cancelio_conn *library_conn;
static int listener;

void library_open(void)
{
	struct cancelio_setup setup = { .engine = engine };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	listener = tcp_listen(AF_INET);
	if (listener < 0 || fd < 0)
		fail("no sockets");
	if (cancelio_open(&library, &setup) || cancelio_attach(library, fd, &library_conn))
		fail("the library does not attach");
}

void library_connect(struct result *result, __s64 deadline)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct cancelio_completion end;

	if (getsockname(listener, (struct sockaddr *)&address, &len))
		fail("the listener has no address");
	cancelio_connect(library_conn, (struct sockaddr *)&address, len, deadline, &end);
	result_ended_by_call(result, &end);
}

/* Bytes go both ways over the connection that library_connect() made. */
void library_exchange(void)
{
	char bytes[16] = "sixteen bytes..", got[16] = "";
	int other = accept(listener, NULL, NULL);
	int ret = cancelio_write(library_conn, bytes, sizeof(bytes), NULL);

	if (ret != sizeof(bytes))
		fail("a write returns %d", ret);
	if (read(other, got, sizeof(got)) != sizeof(got) || memcmp(bytes, got, sizeof(got)))
		fail("the peer gets other bytes");
	if (write(other, bytes, sizeof(bytes)) != sizeof(bytes))
		fail("the peer cannot write");
	ret = cancelio_read(library_conn, got, sizeof(got), NULL);
	if (ret != sizeof(got))
		fail("a read returns %d", ret);
	cancelio_close(library_conn);
	cancelio_free(library);
	close(other);
	close(listener);
}
