/*
 * A plugin of qemu's user emulation that counts the instructions a program executes.
 *
 * At every getsid(), a system call that nothing else in such a program makes, it writes the count
 * so far to a file, one line each: so a program says itself between which points it is counted.
 *
 *     qemu-aarch64 -plugin count.so,out=FILE PROGRAM
 *
 * Debian ships qemu without the header of its plugin API, so what is used of it is declared here,
 * after its documentation (https://qemu.readthedocs.io/en/v7.2.0/devel/tcg-plugins.html).
 *
 * A block of translated instructions adds their number as it is entered. A system call ends its
 * block, so at a call everything up to it has been counted, and nothing beyond. One counter serves
 * all threads, and additions of two at once may get lost: a program that is counted has one.
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;

enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*on_translation)(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void (*on_exit)(qemu_plugin_id_t id, void *data);
typedef void (*on_system_call)(qemu_plugin_id_t id, unsigned int thread, int64_t number,
                               uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                               uint64_t a6, uint64_t a7, uint64_t a8);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, on_translation call);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, on_system_call call);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, on_exit call, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op op,
                                              void *counter, uint64_t addend);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

#define PUBLIC __attribute__((visibility("default")))

/* Of the API: that of qemu 6.0 to 8.2. */
PUBLIC int qemu_plugin_version = 1;

static uint64_t executed;
static FILE *out;

/* Its number is that of every 64-bit architecture that came to Linux late, aarch64 among them. */
static const int64_t GETSID = 156;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &executed,
                                             qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned int thread, int64_t number, uint64_t a1,
                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                   uint64_t a8)
{
    (void)id, (void)thread, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7,
        (void)a8;
    if (number == GETSID)
        fprintf(out, "%" PRIu64 "\n", executed);
}

static void ended(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    fclose(out);
}

PUBLIC int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    static const char option[] = "out=";

    (void)info;
    if (argc != 1 || strncmp(argv[0], option, strlen(option)) != 0) {
        fprintf(stderr, "count: give it out=FILE\n");
        return -1;
    }
    out = fopen(argv[0] + strlen(option), "w");
    if (out == NULL) {
        perror(argv[0]);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
