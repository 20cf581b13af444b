// Debian's Firefox, spoken to by WebDriver BiDi: Playwright's own needs commands that it has not.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { builtOnce, PartUnavailable } from '../cache.ts'
import { runCommand } from '../run-command.ts'

const program = '/usr/bin/firefox-esr'
const installMs = 600_000
const answerMs = 60_000

/** Where Firefox is. @throws PartUnavailable where there is none and none can be installed */
function firefoxPath(): Promise<string> {
  return builtOnce('firefox', async () => {
    if (existsSync(program)) return program
    if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
      throw new PartUnavailable(`no ${program}; install Debian's package firefox-esr`)
    for (const step of [
      ['-q', 'update'],
      ['-q', '-y', '--no-install-recommends', 'install', 'firefox-esr', 'fonts-dejavu-core'],
    ]) {
      const done = await runCommand('apt-get', step, { timeoutMs: installMs, env: { DEBIAN_FRONTEND: 'noninteractive' } })
      if (done.code !== 0) throw new PartUnavailable(`apt-get ${step.join(' ')}: ${done.stderr.slice(-500)}`)
    }
    return program
  })
}

interface Answer {
  readonly id?: number
  readonly type: 'success' | 'error' | 'event'
  readonly method?: string
  readonly message?: string
  readonly result?: Readonly<Record<string, unknown>>
  readonly params?: { readonly level?: string; readonly text?: string }
}

/** One tab. */
export class FirefoxTab implements AsyncDisposable {
  readonly version: string
  /** Errors and warnings of its console, and errors that no script caught. */
  readonly complaints: string[]
  readonly #send: Send
  readonly #context: string
  readonly #stack: AsyncDisposableStack

  constructor(version: string, complaints: string[], send: Send, context: string, stack: AsyncDisposableStack) {
    this.version = version
    this.complaints = complaints
    this.#send = send
    this.#context = context
    this.#stack = stack
  }

  async goto(url: string): Promise<void> {
    await this.#send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  /** What a script comes to, as JSON. @throws Error with what it threw */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { type, result, exceptionDetails } = (await this.#send('script.evaluate', {
      expression: `Promise.resolve(${expression}).then(value => JSON.stringify(value ?? null))`,
      target: { context: this.#context },
      awaitPromise: true,
    })) as { type: string; result?: { value: string }; exceptionDetails?: { text: string } }
    if (type !== 'success' || result === undefined) throw new Error(exceptionDetails?.text ?? `${expression}: ${type}`)
    return JSON.parse(result.value) as Value
  }

  /** Waits until an expression is true: looked at with each frame that is drawn. @throws Error after a minute */
  async until(expression: string): Promise<void> {
    const isSo = await this.evaluate<boolean>(`new Promise(resolve => {
      const end = performance.now() + ${answerMs - 5_000}
      const look = () => (${expression}) ? resolve(true) : performance.now() > end ? resolve(false) : requestAnimationFrame(look)
      look()
    })`)
    if (!isSo) throw new Error(`never so: ${expression}; the page says ${await this.evaluate('document.body.innerText')}`)
  }

  /** A click in the middle of what an expression finds, as by hand. */
  async click(expression: string): Promise<void> {
    const [x, y] = await this.evaluate<readonly [number, number]>(`(() => {
      const found = ${expression}
      found.scrollIntoView({ block: 'center', behavior: 'instant' })
      const { left, top, width, height } = found.getBoundingClientRect()
      return [Math.round(left + width / 2), Math.round(top + height / 2)]
    })()`)
    const actions = [
      { type: 'pointerMove', x, y },
      { type: 'pointerDown', button: 0 },
      { type: 'pointerUp', button: 0 },
    ]
    await this.#send('input.performActions', { context: this.#context, actions: [{ type: 'pointer', id: 'mouse', actions }] })
  }

  /** Keys to what has the focus, as by hand: names as WebDriver has them (`\uE010` is End). */
  async press(...keys: readonly string[]): Promise<void> {
    const actions = keys.flatMap(value => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ])
    await this.#send('input.performActions', { context: this.#context, actions: [{ type: 'key', id: 'keyboard', actions }] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

type Send = (method: string, params: Readonly<Record<string, unknown>>) => Promise<Readonly<Record<string, unknown>>>

/** Starts Firefox with a profile of its own and one tab. @throws PartUnavailable */
export async function openFirefox(): Promise<FirefoxTab> {
  const path = await firefoxPath()
  await using opening = new AsyncDisposableStack()
  const profile = mkdtempSync(join(tmpdir(), 'ballast-firefox-'))
  opening.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  const words = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank']
  const child = spawn(path, words, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } })
  opening.defer(async () => {
    const gone = new Promise(resolve => child.once('close', resolve))
    child.kill('SIGKILL')
    await gone
  })
  const address = await listening(createInterface({ input: child.stderr }))
  const socket = new WebSocket(`${address}/session`)
  opening.defer(() => socket.close())
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', () => reject(new Error(`no WebSocket at ${address}`)), { once: true })
  })
  const complaints: string[] = []
  const send = speak(socket, complaints)
  const session = (await send('session.new', { capabilities: {} })) as { capabilities: { browserVersion: string } }
  await send('session.subscribe', { events: ['log.entryAdded'] })
  const { contexts } = (await send('browsingContext.getTree', {})) as { contexts: readonly { context: string }[] }
  const [tab] = contexts
  if (tab === undefined) throw new Error('Firefox has no tab')
  await send('browsingContext.activate', { context: tab.context })
  await send('browsingContext.setViewport', { context: tab.context, viewport: { width: 1280, height: 800 } })
  return new FirefoxTab(session.capabilities.browserVersion, complaints, send, tab.context, opening.move())
}

async function listening(lines: AsyncIterable<string>): Promise<string> {
  const told: string[] = []
  for await (const line of lines) {
    const [, address] = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line) ?? []
    if (address !== undefined) return address
    told.push(line)
  }
  throw new Error(`Firefox ended: ${told.join('\n')}`)
}

function speak(socket: WebSocket, complaints: string[]): Send {
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer)
    const { level = '', text = '' } = answer.params ?? {}
    if (answer.method === 'log.entryAdded' && ['error', 'warn'].includes(level)) complaints.push(`${level}: ${text}`)
  })
  let last = 0
  return async (method, params) => {
    const id = ++last
    const answered = Promise.withResolvers<Answer>()
    waiting.set(id, answered.resolve)
    const timer = setTimeout(() => answered.reject(new Error(`${method}: no answer`)), answerMs)
    socket.send(JSON.stringify({ id, method, params }))
    try {
      const { type, message, result = {} } = await answered.promise
      if (type === 'error') throw new Error(`${method}: ${message ?? 'an error'}`)
      return result
    } finally {
      clearTimeout(timer)
      waiting.delete(id)
    }
  }
}
