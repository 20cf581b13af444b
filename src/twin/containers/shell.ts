// The shell of a container of the twin: what its commands do, on files in memory. What it does not have ends with 127 and says so.
import type { Clock } from '#kube/clock.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { type ContainerFiles, FileFault, pathIn } from './container-files.ts'
import type { ShellStreams } from './shell-streams.ts'
import { type ShellCommand, ShellFault, shellCommands } from './shell-words.ts'
import { tar } from './tar-command.ts'

interface ShellParts {
  readonly files: ContainerFiles
  readonly environment: Map<string, string>
  readonly hostname: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** A shell without a script shows where it is before each line. */
  readonly isInteractive: boolean
}

const deepestShell = 16
const largestInput = 4 * 1024 * 1024
const bytesOf = (text: string) => Buffer.from(text)

type Command = (args: readonly string[], streams: ShellStreams) => Promise<number> | number

/** `exit` was called. */
class Exited extends Error {
  readonly code: number
  constructor(code: number) {
    super('exit')
    this.code = code
  }
}

export class Shell {
  readonly #parts: ShellParts
  readonly #depth: number
  #directory: string
  #last = 0

  constructor(parts: ShellParts, directory = '/', depth = 0) {
    this.#parts = parts
    this.#directory = directory
    this.#depth = depth
  }

  /** Runs a program by its words, without a shell around it. Resolves with its exit code. */
  async run(words: readonly string[], streams: ShellStreams): Promise<number> {
    try {
      return await this.#call(words, streams)
    } catch (error) {
      if (error instanceof Exited) return error.code
      throw error
    }
  }

  async #script(text: string, streams: ShellStreams): Promise<number> {
    try {
      for (const command of shellCommands(text)) {
        if (this.#parts.signal.aborted) return 143
        const ready = command(name => (name === '?' ? String(this.#last) : (this.#parts.environment.get(name) ?? '')))
        if (ready.after === 'success' && this.#last !== 0) continue
        if (ready.after === 'failure' && this.#last === 0) continue
        this.#last = await this.#redirected(ready, streams)
      }
    } catch (error) {
      if (!(error instanceof ShellFault)) throw error
      await streams.stderr(bytesOf(`sh: ${error.message}\n`))
      this.#last = error.code
    }
    return this.#last
  }

  async #redirected({ words, redirects }: ShellCommand, streams: ShellStreams): Promise<number> {
    const { files, environment } = this.#parts
    let now = streams
    try {
      for (const { from, isAppended, path } of redirects) {
        const at = pathIn(this.#directory, path)
        if (from === 'stdin') {
          now = { ...now, stdin: once(files.read(at)) }
          continue
        }
        files.write(at, isAppended && files.kind(at) === 'file' ? files.read(at) : Buffer.alloc(0))
        const append = (bytes: Uint8Array) => {
          if (at !== '/dev/null') files.write(at, Buffer.concat([files.read(at), bytes]))
          return Promise.resolve()
        }
        now = { ...now, ...(from === 'stderr' ? {} : { stdout: append }), ...(from === 'stdout' ? {} : { stderr: append }) }
      }
    } catch (error) {
      if (!(error instanceof FileFault)) throw error
      await streams.stderr(bytesOf(`sh: ${redirects[0]?.path ?? ''}: ${error.message}\n`))
      return 1
    }
    let at = 0
    for (; at < words.length; at++) {
      const [, name, value = ''] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(words[at] ?? '') ?? []
      if (name === undefined) break
      environment.set(name, value)
    }
    return at === words.length ? 0 : await this.#call(words.slice(at), now)
  }

  async #call([program = '', ...args]: readonly string[], streams: ShellStreams): Promise<number> {
    const name = program.replace(/^(\/usr)?(\/local)?\/s?bin\//, '')
    const command = Object.hasOwn(this.#commands, name) ? this.#commands[name] : undefined
    if (command === undefined) {
      await streams.stderr(
        bytesOf(
          `${program}: not found: the twin's containers have a small shell and ${Object.keys(this.#commands).join(', ')}\n`,
        ),
      )
      return 127
    }
    try {
      return await command(args, streams)
    } catch (error) {
      if (!(error instanceof FileFault)) throw error
      await streams.stderr(bytesOf(`${name}: ${error.message}\n`))
      return 1
    }
  }

  readonly #commands: Readonly<Record<string, Command>> = {
    cat: async (args, streams) => {
      if (args.length === 0) {
        for await (const piece of streams.stdin) await streams.stdout(piece)
        return 0
      }
      return await this.#eachPath('cat', args, streams, path => this.#parts.files.read(path))
    },
    cd: args => {
      const to = pathIn(this.#directory, args[0] ?? this.#parts.environment.get('HOME') ?? '/')
      this.#parts.files.list(to)
      this.#directory = to
      return 0
    },
    date: async (args, streams) => {
      const now = new Date(this.#parts.clock.now())
      const text = args.includes('+%s')
        ? String(Math.floor(now.getTime() / 1000))
        : now.toUTCString().replace(/^(\w+), (\d+) (\w+) (\d+) (\S+) GMT$/, '$1 $3 $2 $5 UTC $4')
      await streams.stdout(bytesOf(`${text}\n`))
      return 0
    },
    echo: async (args, streams) => {
      const isOpen = args[0] === '-n'
      await streams.stdout(bytesOf(`${args.slice(isOpen ? 1 : 0).join(' ')}${isOpen ? '' : '\n'}`))
      return 0
    },
    env: async (_args, streams) =>
      await this.#printed(
        streams,
        [...this.#parts.environment].map(([name, value]) => `${name}=${value}`),
      ),
    exit: args => {
      throw new Exited(args[0] === undefined ? this.#last : Number(args[0]) & 255)
    },
    export: args => {
      for (const [name = '', ...value] of args.map(arg => arg.split('=')))
        if (value.length > 0) this.#parts.environment.set(name, value.join('='))
      return 0
    },
    false: () => 1,
    hostname: async (_args, streams) => await this.#printed(streams, [this.#parts.hostname]),
    id: async (args, streams) =>
      await this.#printed(streams, [args[0] === '-u' ? '0' : 'uid=0(root) gid=0(root) groups=0(root)']),
    ls: async (args, streams) => {
      const paths = args.filter(arg => !arg.startsWith('-'))
      const shown = paths.length === 0 ? ['.'] : paths
      return await this.#eachPath('ls', shown, streams, (path, given) => {
        const { files } = this.#parts
        const lines =
          files.kind(path) === 'file' ? [given] : files.list(path).filter(name => args.includes('-a') || !name.startsWith('.'))
        return bytesOf(lines.map(line => `${line}\n`).join(''))
      })
    },
    mkdir: async (args, streams) =>
      await this.#eachPath(
        'mkdir',
        args.filter(arg => arg !== '-p'),
        streams,
        path => {
          this.#parts.files.makeDirectory(path)
          return Buffer.alloc(0)
        },
      ),
    printenv: async (args, streams) => {
      if (args.length === 0) return (await this.#commands['env']?.(args, streams)) ?? 1
      const values = args.flatMap(name => this.#parts.environment.get(name) ?? [])
      await this.#printed(streams, values)
      return values.length === args.length ? 0 : 1
    },
    pwd: async (_args, streams) => await this.#printed(streams, [this.#directory]),
    rm: async (args, streams) =>
      await this.#eachPath(
        'rm',
        args.filter(arg => !arg.startsWith('-')),
        streams,
        path => {
          if (this.#parts.files.kind(path) === 'directory' && !args.some(arg => /^-\w*r/.test(arg)))
            throw new FileFault('Is a directory')
          if (this.#parts.files.kind(path) !== undefined || !args.some(arg => /^-\w*f/.test(arg))) this.#parts.files.remove(path)
          return Buffer.alloc(0)
        },
      ),
    sh: async (args, streams) => {
      if (this.#depth >= deepestShell) throw new FileFault('too many shells in one another')
      const environment = new Map(this.#parts.environment)
      const inner = new Shell({ ...this.#parts, environment }, this.#directory, this.#depth + 1)
      const script = args[0] === '-c' ? args[1] : undefined
      try {
        if (script !== undefined) return await inner.#script(script, streams)
        if (args.length === 0) return await inner.#lines(streams)
        return await inner.#script(this.#parts.files.read(pathIn(this.#directory, args[0] ?? '')).toString(), streams)
      } catch (error) {
        if (error instanceof Exited) return error.code
        throw error
      }
    },
    sleep: async (args, streams) => {
      const text = args[0] ?? ''
      const parsed =
        text === 'infinity' ? { ok: true as const, value: 2 ** 31 } : parseDurationMs(/[a-z]$/.test(text) ? text : `${text}s`)
      if (!parsed.ok || parsed.value < 0) {
        await streams.stderr(bytesOf(`sleep: invalid time interval ‘${text}’\n`))
        return 1
      }
      const { clock, signal } = this.#parts
      return await clock.after(parsed.value, signal).then(
        () => 0,
        () => 143,
      )
    },
    tar: async (args, streams) => await tar(args, this.#parts.files, this.#directory, streams),
    test: args => {
      const kind = this.#parts.files.kind(pathIn(this.#directory, args[1] ?? ''))
      if (args.length !== 2 || !['-d', '-e', '-f'].includes(args[0] ?? ''))
        throw new FileFault("the twin's test has -d, -e and -f")
      return kind !== undefined && (args[0] === '-e' || (args[0] === '-d') === (kind === 'directory')) ? 0 : 1
    },
    touch: async (args, streams) =>
      await this.#eachPath('touch', args, streams, path => {
        if (this.#parts.files.kind(path) === undefined) this.#parts.files.write(path, Buffer.alloc(0))
        return Buffer.alloc(0)
      }),
    true: () => 0,
    whoami: async (_args, streams) => await this.#printed(streams, ['root']),
  }

  async #printed(streams: ShellStreams, lines: readonly string[]): Promise<number> {
    await streams.stdout(bytesOf(lines.map(line => `${line}\n`).join('')))
    return 0
  }

  async #eachPath(
    name: string,
    args: readonly string[],
    streams: ShellStreams,
    work: (path: string, given: string) => Buffer,
  ): Promise<number> {
    let code = 0
    for (const arg of args) {
      try {
        const bytes = work(pathIn(this.#directory, arg), arg)
        if (bytes.length > 0) await streams.stdout(bytes)
      } catch (error) {
        if (!(error instanceof FileFault)) throw error
        await streams.stderr(bytesOf(`${name}: ${arg}: ${error.message}\n`))
        code = 1
      }
    }
    return code
  }

  /** Commands from standard input, line by line, each when it is there. */
  async #lines(streams: ShellStreams): Promise<number> {
    const prompt = async () => {
      if (this.#parts.isInteractive) await streams.stdout(bytesOf(`${this.#directory} # `))
    }
    await prompt()
    let text = ''
    let total = 0
    for await (const piece of streams.stdin) {
      total += piece.length
      text += new TextDecoder().decode(piece)
      if (total > largestInput) {
        await streams.stderr(bytesOf('sh: the input is too long\n'))
        return 2
      }
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        await this.#script(line, { ...streams, stdin: once(Buffer.alloc(0)) })
        await prompt()
      }
    }
    return await this.#script(text, { ...streams, stdin: once(Buffer.alloc(0)) })
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
