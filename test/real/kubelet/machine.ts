// A machine for a kubelet, without a virtual one: mounts, process ids, control groups and host name of its own in a network namespace of the
// laboratory. Paths within it are those of every node (`/run/containerd`, `/var/lib/kubelet`, `/etc`), and whatever runs there ends with it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { atEnd } from '../endings.ts'
import type { NodeNetwork } from '../mirror/laboratory/network.ts'
import { type Program, startProgram, until } from '../mirror/laboratory/program.ts'
import { type CommandResult, runCommand } from '../run-command.ts'

export interface Machine extends AsyncDisposable {
  readonly name: string
  readonly address: string
  /** Where a path of the machine below `/etc`, `/opt`, `/var/lib` or `/var/log` lies as this process sees it. */
  path(within: string): string
  /** As this process reaches what the machine has mounted over it, as `/run`. */
  mounted(within: string): string
  /** Runs to the end within it. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>
  /** Starts a program that goes on. */
  start(command: readonly string[], env?: Readonly<Record<string, string>>): Program
}

/** What is of its own: everything else is this machine's. */
const owned = ['/etc', '/opt', '/var/lib', '/var/log'] as const
const cgroupRoot = '/sys/fs/cgroup'
const runLimitMs = 120_000
/** What a kubelet sets for the whole kernel; it is given files to write instead. */
const kernelSettings = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
]

/** `$1` its directory, `$2` its name, the rest its controllers of version 1. Mounts are shared within, as a kubelet wants them. */
const setUp = `
set -e
directory=$1; name=$2; shift 2
read -r pid rest < /proc/self/stat
mount --make-rshared /
mount -t proc proc /proc
for file in ${kernelSettings.join(' ')}; do
  [ -e /proc/sys/$file ] || continue
  copy=$directory/kernel/$(echo $file | tr / _)
  cat /proc/sys/$file > $copy
  mount --bind $copy /proc/sys/$file
done
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs ${cgroupRoot}
for controller in "$@"; do
  mkdir ${cgroupRoot}/$controller
  case $controller in systemd) options=none,name=systemd;; *) options=$controller;; esac
  mount -t cgroup -o $options cgroup ${cgroupRoot}/$controller
done
hostname $name
for path in ${owned.join(' ')}; do mount --bind $directory$path $path; done
mount -t tmpfs tmpfs /run
mkdir /run/netns
echo $pid > $directory/pid.new
mv $directory/pid.new $directory/pid
exec sleep infinity
`

/** Makes the machine; all of it is gone when it is disposed. @throws PartUnavailable where this machine's kernel or rights are not enough */
export async function startMachine(network: NodeNetwork, directory: string): Promise<Machine> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new PartUnavailable('kubelets need Linux and root')
  const { name } = network
  const groups = controllersOfVersion1()
  if (groups.size === 0)
    throw new PartUnavailable('kubelets were only tried where control groups are of version 1, and here they are not')
  const own = `${network.namespace}-${process.pid}`
  const stack = new AsyncDisposableStack()
  try {
    const forget = atEnd(() => removeGroups(groups, own))
    stack.defer(async () => {
      await until('the control groups of a machine are empty', () => removeGroups(groups, own))
      forget()
    })
    for (const [controller, path] of groups) makeGroup(controller, join(path, own))
    prepare(directory, name)
    const joinGroups = [...groups.values()].map(path => `echo $$ > ${join(path, own, 'cgroup.procs')}`).join('\n')
    const held = startProgram('sh', [
      '-c',
      `set -e\n${joinGroups}\nexec nsenter --net=/run/netns/${network.namespace} unshare --mount --pid --fork --kill-child=SIGKILL --uts --ipc --cgroup --propagation private sh -c "$@"`,
      'machine',
      setUp,
      'machine',
      directory,
      name,
      ...groups.keys(),
    ])
    stack.defer(() => held.kill())
    const file = join(directory, 'pid')
    await until(`${name} is set up`, () => {
      if (held.hasEnded()) throw new PartUnavailable(`a machine for a kubelet: ${held.log()}`)
      return existsSync(file)
    })
    const pid = readFileSync(file, 'utf8').trim()
    const enter = `${joinGroups}\nexec nsenter --target ${pid} --mount --pid --uts --ipc --cgroup --net -- "$@"`
    const within = (command: readonly string[]) => ['-c', enter, 'enter', ...command]
    const path = '/usr/sbin:/usr/bin:/sbin:/bin'
    return {
      name,
      address: network.address,
      path: place => join(directory, place),
      mounted: place => `/proc/${pid}/root${place}`,
      run: (command, env = {}) => runCommand('sh', within(command), { env: { PATH: path, ...env }, timeoutMs: runLimitMs }),
      start: (command, env = {}) => startProgram('sh', within(command), { env: { PATH: path, ...env } }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

/** The controllers that are mounted one by one, with the group of this process in each. */
function controllersOfVersion1(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
    const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    const name = names.replace(/^name=/, '')
    if (name !== '' && existsSync(join(cgroupRoot, name))) found.set(name, join(cgroupRoot, name, path))
  }
  return found.has('memory') && found.has('cpu') ? found : new Map()
}

function makeGroup(controller: string, path: string): void {
  mkdirSync(path)
  if (controller !== 'cpuset') return
  // Empty at first, and then nothing can run in it.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) writeFileSync(join(path, file), readFileSync(join(path, '..', file)))
}

/** @returns whether all are gone: a group lasts while a process of it is on its way out */
function removeGroups(groups: ReadonlyMap<string, string>, own: string): boolean {
  let areGone = true
  const remove = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) remove(join(path, entry.name))
    try {
      rmdirSync(path)
    } catch {
      areGone = false // asked again
    }
  }
  for (const group of groups.values()) if (existsSync(join(group, own))) remove(join(group, own))
  return areGone
}

function prepare(directory: string, name: string): void {
  rmSync(join(directory, 'pid'), { force: true })
  for (const path of [
    ...owned,
    '/kernel',
    '/opt/cni/bin',
    '/etc/cni/net.d',
    '/etc/containerd/conf.d',
    '/etc/kubernetes/manifests',
  ])
    mkdirSync(join(directory, path), { recursive: true })
  const files = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    group: 'root:x:0:\nnogroup:x:65534:\n',
    hosts: '127.0.0.1 localhost\n',
    hostname: `${name}\n`,
    'resolv.conf': '',
    'os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="a namespace"\n',
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, 'etc', file), text)
}
