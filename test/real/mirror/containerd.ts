// A containerd of a given line with its own root, state and socket, in a network namespace where one is named: what a node's kubelet
// would have. Debian's packages, unpacked into the cache; nothing is installed.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { PartUnavailable } from '../cache.ts'
import { programPath, type Suite } from '../control-plane/debian.ts'
import { atEnd } from '../endings.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'

/** Lines of containerd by where Debian has them: 1.6.20 in bookworm, 1.7.24 in trixie, 2.x in sid. */
export const containerdLines = { '1.6': 'bookworm', '1.7': 'trixie', '2': 'sid' } as const satisfies Record<string, Suite>
export type ContainerdLine = keyof typeof containerdLines

export interface NodeContainerdOptions {
  readonly line: ContainerdLine
  /** Name of a network namespace (`ip netns`) that daemon and `ctr` run in; without it the machine's own. */
  readonly netns?: string
  /** Where root lies instead of below a temporary directory: a small file system that is to become full. */
  readonly root?: string
  /** Directory of hosts files, for pulls by CRI (`config_path`). */
  readonly configPath?: string
  readonly discardUnpackedLayers?: boolean
  /** Further settings of how containerd 2 pulls for kubelets, and of its transfer service. */
  readonly imageLines?: readonly string[]
  readonly transferLines?: readonly string[]
  /** Further lines of the configuration file. */
  readonly lines?: readonly string[]
}

export interface NodeContainerd extends AsyncDisposable {
  readonly line: ContainerdLine
  /** As the program says it: `1.6.20`. */
  readonly version: string
  readonly socket: string
  readonly root: string
  readonly contentPath: string
  /** Id of the daemon that runs. */
  pid(): number
  /** What it wrote of late. */
  log(): string
  /** `ctr -a <socket> -n k8s.io …` in the same network namespace: ctr fetches in its own process. */
  ctr(...args: readonly string[]): Promise<CommandResult>
  /** `images pull` with the native snapshotter; of 2.x with `--local` unless told otherwise, so that ctr reads the hosts files. */
  pull(
    reference: string,
    options?: { readonly hostsDirectory?: string; readonly flags?: readonly string[] },
  ): Promise<CommandResult>
  /** Ends the daemon and leaves everything where it is. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it again on the same root and socket. */
  start(): Promise<void>
}

const startLimitMs = 30_000
const callLimitMs = 300_000

/** Path of `containerd`, `ctr` beside it. @throws PartUnavailable where Debian's package cannot be had. */
export function containerdPath(line: ContainerdLine): Promise<string> {
  return programPath(containerdLines[line], 'containerd', 'usr/bin/containerd')
}

/** Starts it and waits until it answers. @throws PartUnavailable where this machine is no Linux, we are not root, or it does not come up. */
export async function startNodeContainerd(options: NodeContainerdOptions): Promise<NodeContainerd> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new PartUnavailable('containerd needs Linux and root')
  const program = await containerdPath(options.line)
  const ctrProgram = join(dirname(program), 'ctr')
  const runc = await programPath(containerdLines[options.line], 'runc', 'usr/sbin/runc')
  const version = /\b(\d+\.\d+\.\d+)/.exec(await commandOutput(program, ['--version']))?.[1]
  if (version === undefined) throw new Error(`${program} says no version`)
  const directory = mkdtempSync(join(tmpdir(), 'bn-')) // short: a socket's path has 108 bytes
  const socket = join(directory, 'c.sock')
  const root = options.root ?? join(directory, 'root')
  const settings = join(directory, 'config.toml')
  writeFileSync(settings, settingsText(options, { root, state: join(directory, 'state'), socket }))
  const env = { PATH: `${dirname(program)}:${dirname(runc)}:${process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'}` }
  const within = (command: readonly string[]): readonly [string, ...string[]] =>
    options.netns === undefined ? [command[0] ?? '', ...command.slice(1)] : ['ip', 'netns', 'exec', options.netns, ...command]
  const run = (command: readonly string[]) => {
    const [name, ...args] = within(command)
    return runCommand(name, args, { env, timeoutMs: callLimitMs })
  }
  const ctr = (...args: readonly string[]) => run([ctrProgram, '-a', socket, '-n', 'k8s.io', ...args])
  let said = ''
  let daemon: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()
  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    daemon?.kill(signal)
    await ended
    daemon = undefined
  }
  const start = async () => {
    const [name, ...args] = within([program, '--config', settings])
    const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
    daemon = child
    const isOver = atEnd(() => child.kill('SIGKILL'))
    ended = new Promise(resolve => {
      child.once('close', () => {
        isOver()
        resolve()
      })
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-65_536)
    })
    const startedMs = systemClock.elapsed()
    while (!existsSync(socket) || (await ctr('version')).code !== 0) {
      if (child.exitCode !== null || systemClock.elapsed() - startedMs > startLimitMs) {
        await stop('SIGKILL')
        throw new PartUnavailable(`containerd ${version} did not come up: ${said.trim().split('\n').at(-1)}`)
      }
      await systemClock.after(50)
    }
  }
  mkdirSync(root, { recursive: true })
  await start()
  return {
    line: options.line,
    version,
    socket,
    root,
    contentPath: join(root, 'io.containerd.content.v1.content'),
    pid() {
      if (daemon?.pid === undefined) throw new Error(`containerd ${version} is stopped`)
      return daemon.pid
    },
    log: () => said,
    ctr,
    pull(reference, { hostsDirectory, flags } = {}) {
      const hosts = hostsDirectory === undefined ? [] : ['--hosts-dir', hostsDirectory]
      const more = flags ?? (options.line === '2' ? ['--local'] : [])
      return ctr('images', 'pull', '--snapshotter', 'native', ...more, ...hosts, reference)
    },
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function settingsText(
  {
    line,
    configPath = '',
    discardUnpackedLayers = false,
    imageLines = [],
    transferLines = [],
    lines = [],
  }: NodeContainerdOptions,
  { root, state, socket }: { readonly root: string; readonly state: string; readonly socket: string },
): string {
  const images =
    line === '2'
      ? [
          `[plugins."io.containerd.cri.v1.images"]`,
          `  snapshotter = "native"`,
          `  discard_unpacked_layers = ${discardUnpackedLayers}`,
          ...imageLines,
          `[plugins."io.containerd.cri.v1.images".registry]`,
          `  config_path = "${configPath}"`,
          // The transfer service unpacks with overlayfs unless told: temporary directories may be on what overlayfs cannot lie on.
          `[plugins."io.containerd.transfer.v1.local"]`,
          ...transferLines,
          `[[plugins."io.containerd.transfer.v1.local".unpack_config]]`,
          `  platform = "linux/amd64"`,
          `  snapshotter = "native"`,
        ]
      : [
          `[plugins."io.containerd.grpc.v1.cri".containerd]`,
          `  snapshotter = "native"`,
          `  discard_unpacked_layers = ${discardUnpackedLayers}`,
          `[plugins."io.containerd.grpc.v1.cri".registry]`,
          `  config_path = "${configPath}"`,
        ]
  return [
    `version = ${line === '2' ? 3 : 2}`,
    `root = "${root}"`,
    `state = "${state}"`,
    `[grpc]`,
    `  address = "${socket}"`,
    `[ttrpc]`,
    `  address = "${socket}.ttrpc"`,
    `[plugins."io.containerd.internal.v1.opt"]`,
    `  path = "${state}/opt"`,
    ...images,
    ...lines,
    '',
  ].join('\n')
}
