// A virtual machine with a kernel that knows NFS, emulated (TCG): qemu of Debian, unpacked. Its network is qemu's own, so that it reaches what listens on this
// machine's loopback at 10.0.2.2, and this machine reaches it by forwarded ports.

import { once } from 'node:events'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { PartUnavailable } from '../../cache.ts'
import { freePorts } from '../../control-plane/free-ports.ts'
import { needPrograms, placeOf } from '../../machine-programs.ts'
import { type Program, startProgram, until } from '../../mirror/laboratory/program.ts'
import { type GuestProgram, packInitialFiles } from './initial-files.ts'
import { cloudKernel } from './kernel.ts'

/** This machine's loopback, as the guest reaches it. */
export const hostAddress = '10.0.2.2'
const shellPort = 10_001
const bootLimitMs = 240_000
const commandLimitMs = 120_000

export interface GuestOptions {
  readonly programs?: readonly GuestProgram[]
  readonly hosts?: Readonly<Record<string, string>>
  /** Ports of the guest that this machine reaches. */
  readonly ports?: readonly number[]
  readonly memoryMib?: number
}

export interface Guest extends AsyncDisposable {
  readonly kernel: string
  /** From qemu's start to the guest's shell. */
  readonly bootedInMs: number
  /** Runs a script of busybox' shell to its end. @throws Error with what it said where its exit code is not 0 */
  run(script: string, limitMs?: number): Promise<string>
  /** The port of this machine that leads to one of {@link GuestOptions.ports}. */
  port(inside: number): number
  /** What the guest's console said last. */
  readonly console: () => string
}

/** @throws PartUnavailable where qemu, the kernel or what the guest runs cannot be had */
export async function startGuest({
  programs = [],
  hosts = {},
  ports = [],
  memoryMib = 1_024,
}: GuestOptions = {}): Promise<Guest> {
  if (process.arch !== 'x64') throw new PartUnavailable('the guest is an amd64 machine, and its files are taken from one')
  await needPrograms('qemu-system-x86_64')
  const kernel = await cloudKernel()
  const directory = mkdtempSync(join(tmpdir(), 'bnfs-guest-'))
  const inside = [shellPort, ...ports]
  const outside = await freePorts(inside.length)
  const portOf = (port: number) => {
    const at = outside[inside.indexOf(port)]
    if (at === undefined) throw new Error(`port ${port} of the guest is not forwarded`)
    return at
  }
  let program: Program | undefined
  const close = async () => {
    await program?.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const files = await packInitialFiles(directory, kernel, { programs, hosts, shellPort })
    const emulator = placeOf('qemu-system-x86_64') ?? ''
    const forwarded = inside.map(port => `hostfwd=tcp:127.0.0.1:${portOf(port)}-:${port}`)
    const shared = join(dirname(dirname(emulator)), 'root', 'usr')
    // Parts of qemu are plug-ins, looked for where it was built to lie.
    const [plugIns = ''] = globSync('lib/*-linux-gnu/qemu', { cwd: shared })
    const begun = performance.now()
    program = startProgram(
      emulator,
      [
        ...['qemu', 'seabios'].flatMap(folder => ['-L', join(shared, 'share', folder)]),
        ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', '2', '-m', String(memoryMib)],
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
        ...['-kernel', kernel.image, '-initrd', files, '-append', 'console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off'],
        ...['-netdev', `user,id=net0,${forwarded.join(',')}`, '-device', 'virtio-net-pci,netdev=net0,romfile='],
      ],
      { env: { QEMU_MODULE_DIR: join(shared, plugIns) } },
    )
    const running = program
    const run = (script: string, limitMs = commandLimitMs) => shell(portOf(shellPort), script, limitMs)
    await until(
      'the guest is ready',
      () => {
        if (running.hasEnded()) throw new Error(`qemu ended: ${running.log()}`)
        return running.log().includes('guest: ready')
      },
      bootLimitMs,
    ).catch(cause => {
      throw new Error(`the guest does not boot: ${running.log()}`, { cause })
    })
    await until(
      'the guest answers',
      () =>
        run('true', 5_000).then(
          () => true,
          () => false,
        ),
      bootLimitMs,
    )
    return {
      kernel: kernel.release,
      bootedInMs: performance.now() - begun,
      run,
      port: portOf,
      console: () => running.log(),
      [Symbol.asyncDispose]: close,
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

/** busybox' shell takes its own mount and umount before those of PATH. `timeout` does too: name /usr/bin/umount after it. */
const machinesOwn = 'mount() { /usr/bin/mount "$@"; }; umount() { /usr/bin/umount "$@"; }\n'

/** A shell that reads its script from the connection, and ends with it. */
async function shell(port: number, script: string, limitMs: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port })
  const end = setTimeout(
    () => socket.destroy(new Error(`the guest did not end this within ${limitMs / 1_000} s: ${script}`)),
    limitMs,
  )
  try {
    await once(socket, 'connect')
    socket.write(`${machinesOwn}{ ${script}\n} 2>&1; echo "ended with $?"; exit\n`)
    const said = await text(socket)
    const [, output = '', code] = /^([\s\S]*)ended with (\d+)\n$/.exec(said) ?? []
    if (code !== '0') throw new Error(`the guest's shell: ${script}: ${code === undefined ? said : `${output.trim()} (${code})`}`)
    return output
  } finally {
    clearTimeout(end)
    socket.destroy()
  }
}
