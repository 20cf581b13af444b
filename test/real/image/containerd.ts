// A containerd of our own below a temporary directory, and containers in it as restricted as the manifests ask for.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { PartUnavailable } from '../cache.ts'
import { atEnd } from '../endings.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'
import { besideOf, imageTool, pathOf } from './tools.ts'

const startLimitMs = 120_000
const runLimitMs = 120_000

/** What containerd leaves a container that asks for nothing; all of it is dropped. */
const capabilities = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]

export interface ContainerOptions {
  readonly name: string
  /** In place of the image's entry point. */
  readonly command: readonly string[]
  /** Bytes. */
  readonly memory?: number
  /** Bound read-only: where on this machine, where in the container. */
  readonly mounts?: readonly (readonly [from: string, to: string])[]
  /** Root, as parts that read what is root's; it has no capability all the same. */
  readonly isRoot?: boolean
  /** A place to write to, as an `emptyDir` at `/tmp`. */
  readonly hasTemporary?: boolean
}

export interface Container {
  /** Id of its first process, as this machine sees it. */
  readonly pid: number
  readonly log: () => string
  /** Sends SIGTERM and yields the exit code. */
  stop(): Promise<number>
}

export interface Containerd extends AsyncDisposable {
  readonly socket: string
  /** Where its content lies as files. */
  readonly contentPath: string
  import(archive: string): Promise<void>
  /** Names and digests of the images it has. */
  images(): Promise<string>
  /** Runs to the end: read-only root, no capabilities, no new privileges, default seccomp, this machine's network. */
  run(image: string, options: ContainerOptions): Promise<CommandResult>
  start(image: string, options: ContainerOptions): Promise<Container>
}

/** Starts it. Throws {@link PartUnavailable} where this machine is no Linux, we are not root, or it does not come up. */
export async function startContainerd(): Promise<Containerd> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new PartUnavailable('containerd needs Linux and root for namespaces and overlay mounts')
  const [containerd, runc] = [await imageTool('containerd'), await imageTool('runc')]
  const directory = mkdtempSync(join(tmpdir(), 'ballast-containerd-'))
  const socket = join(directory, 'containerd.sock')
  const settings = join(directory, 'config.toml')
  writeFileSync(
    settings,
    [
      'version = 3',
      `root = "${join(directory, 'root')}"`,
      `state = "${join(directory, 'state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]',
      `[grpc]\naddress = "${socket}"`,
      `[ttrpc]\naddress = "${socket}.ttrpc"`,
      '',
    ].join('\n'),
  )
  const env = { PATH: pathOf(containerd, runc) }
  const daemon = spawn(containerd.path, ['--config', settings], { stdio: ['ignore', 'ignore', 'pipe'], env })
  const isOver = atEnd(() => daemon.kill('SIGKILL'))
  const ended = new Promise<void>(resolve => {
    daemon.once('close', () => {
      isOver()
      resolve()
    })
  })
  let said = ''
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  const stop = async () => {
    daemon.kill('SIGTERM')
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  const ctr = besideOf(containerd, 'ctr')
  const call = (args: readonly string[]) => runCommand(ctr, ['--address', socket, ...args], { env, timeoutMs: runLimitMs })
  const startedMs = systemClock.elapsed()
  while (!existsSync(socket) || (await call(['version'])).code !== 0) {
    if (daemon.exitCode !== null || systemClock.elapsed() - startedMs > startLimitMs) {
      await stop()
      throw new PartUnavailable(`containerd did not come up: ${said.trim().split('\n').at(-1)}`)
    }
    await systemClock.after(50)
  }
  return {
    socket,
    contentPath: join(directory, 'root', 'io.containerd.content.v1.content'),
    import: async archive => {
      await commandOutput(ctr, ['--address', socket, 'images', 'import', archive], { env })
    },
    images: () => commandOutput(ctr, ['--address', socket, 'images', 'list'], { env }),
    run: (image, options) => call(runArguments(image, options)),
    async start(image, options) {
      const pidFile = join(directory, `${options.name}.pid`)
      const args = ['--address', socket, ...runArguments(image, options, ['--pid-file', pidFile])]
      const child = spawn(ctr, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
      const finish = atEnd(() => child.kill('SIGKILL'))
      let log = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          log += text
        })
      const exit = new Promise<number>(resolve => {
        child.once('close', code => {
          finish()
          resolve(code ?? -1)
        })
      })
      const sinceMs = systemClock.elapsed()
      while (!existsSync(pidFile)) {
        if (child.exitCode !== null || systemClock.elapsed() - sinceMs > startLimitMs)
          throw new Error(`container ${options.name} did not start: ${log}`)
        await systemClock.after(2)
      }
      return {
        pid: Number(readFileSync(pidFile, 'utf8')),
        log: () => log,
        stop: () => {
          child.kill('SIGTERM') // ctr hands it to the container
          return exit
        },
      }
    },
    [Symbol.asyncDispose]: stop,
  }
}

function runArguments(image: string, options: ContainerOptions, flags: readonly string[] = []): readonly string[] {
  return [
    'run',
    '--rm',
    '--net-host',
    '--read-only',
    '--seccomp',
    // As a kubelet's runtime mounts it: where a program reads how much memory it may have.
    '--mount',
    'type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro:nosuid:noexec:nodev',
    ...capabilities.flatMap(name => ['--cap-drop', `CAP_${name}`]),
    ...(options.memory === undefined ? [] : ['--memory-limit', String(options.memory)]),
    ...(options.mounts ?? []).flatMap(([from, to]) => ['--mount', `type=bind,src=${from},dst=${to},options=rbind:ro`]),
    ...(options.isRoot === true ? ['--user', '0:0'] : []),
    ...(options.hasTemporary === true ? ['--mount', 'type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid:nodev:mode=1777'] : []),
    ...flags,
    image,
    options.name,
    ...options.command,
  ]
}
