/* SPDX-License-Identifier: GPL-2.0 */
/* Of qemu's plugin interface, version 1, what is needed here; its uint64_t is unsigned long. */
#ifndef CANCELIO_BENCH_QEMU_H
#define CANCELIO_BENCH_QEMU_H

#include <stddef.h>

struct qemu_plugin_tb;
struct qemu_info;

extern int qemu_plugin_version;

int qemu_plugin_install(unsigned long id, const struct qemu_info *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(unsigned long id,
					   void (*translated)(unsigned long,
							      struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*executed)(unsigned int, void *), int flags,
					  void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation,
					      void *counter, unsigned long add);
void qemu_plugin_register_atexit_cb(unsigned long id, void (*ended)(unsigned long, void *),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
unsigned long qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

#endif
