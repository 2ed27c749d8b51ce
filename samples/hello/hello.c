// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <cancelio.h>
#include <stdio.h>

int main(void)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(7007),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int n, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct cancelio_completion how;
	struct cancelio_conn *conn;
	struct cancelio *context;
	char buf[64];

	if (cancelio_open(&context, NULL) || cancelio_attach(context, fd, &conn) ||
	    cancelio_connect(conn, (struct sockaddr *)&peer, sizeof(peer),
			     cancelio_after(1000000000), NULL))
		return 1;
	/* Nobody speaks before we do: this read ends when its time has come. */
	cancelio_set_read_deadline(conn, cancelio_after(100 * 1000000LL));
	cancelio_read(conn, buf, sizeof(buf), &how);
	printf("first read: %s\n", cancelio_reason_name(how.reason));

	/* The connection is as good as before. */
	cancelio_set_read_deadline(conn, CANCELIO_NEVER);
	cancelio_write(conn, "hello\n", 6, NULL);
	n = cancelio_read(conn, buf, sizeof(buf), &how);
	printf("second read: %s, %.*s", cancelio_reason_name(how.reason), n > 0 ? n : 0, buf);
	cancelio_close(conn);
	cancelio_free(context);
	return n != 6;
}
