// An agent with nothing but the mirror goes on as a smaller program in the same process.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { commandLine } from './bundled.ts'

const password = 'what nobody may see'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

interface Mirror {
  readonly child: ChildProcess
  readonly registry: string
  readonly words: () => string
}

/** By which command it is started, and whether below a launcher. */
async function startMirror(command: readonly string[], isBelowLauncher = false): Promise<Mirror> {
  const directory = await temporaryDirectory()
  const secret = join(directory, 'basic-auth')
  mkdirSync(secret)
  writeFileSync(join(secret, 'username'), 'me')
  writeFileSync(join(secret, 'password'), password)
  writeFileSync(join(directory, 'peers'), '')
  const [registry, router, metrics] = [await freePort(), await freePort(), await freePort()]
  const flags = [
    ...['--registry-addr', `127.0.0.1:${registry}`, '--router-addr', `127.0.0.1:${router}`],
    ...['--metrics-addr', `127.0.0.1:${metrics}`, '--data-plane', 'builtin', '--containerd-sock', join(directory, 'c.sock')],
    ...['--bootstrap-kind', 'file', '--bootstrap-file', join(directory, 'peers')],
  ]
  const child = spawn(process.execPath, [commandLine, ...command, ...flags], {
    stdio: isBelowLauncher ? ['ignore', 'ignore', 'pipe', 'ipc'] : ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, BALLAST_BASIC_AUTH_DIR: secret },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words += text
  })
  return { child, registry: `http://127.0.0.1:${registry}`, words: () => words }
}

const ofProcess = ({ pid }: ChildProcess, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')

async function statusOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  try {
    return (await fetch(url, { headers })).status
  } catch {
    return 0 // It does not listen yet.
  }
}

// biome-ignore format: a table
test.runIf(process.platform === 'linux').each([
  ['ballast agent', ['agent', '--role=mirror'], false, true],
  ['ballast spegel registry', ['spegel', 'registry'], false, true],
  ['a launcher that waits for it', ['agent', '--role=mirror'], true, false],
] as const)('%s: what it is, what it is told, and how it ends', { timeout: 120_000 }, async (_what, command, isBelowLauncher, isSmaller) => {
  const { child, registry, words } = await startMirror(command, isBelowLauncher)
  await vi.waitUntil(async () => (await statusOf(`${registry}/v2/`)) !== 0 || child.exitCode !== null, { timeout: 100_000, interval: 50 })
  expect(child.exitCode, words()).toBe(null)
  const credentials = `Basic ${Buffer.from(`me:${password}`).toString('base64')}`
  expect([await statusOf(`${registry}/v2/`), await statusOf(`${registry}/v2/`, { authorization: credentials })]).toEqual([401, 200])
  const [asked, told] = [ofProcess(child, 'cmdline'), ofProcess(child, 'environ')]
  expect(asked.join(' ').includes('mirror-process')).toBe(isSmaller)
  expect(asked).toEqual(expect.arrayContaining([...command]))
  expect(told.some(variable => variable.startsWith('BALLAST_HANDED_OVER='))).toBe(isSmaller)
  expect([...asked, ...told].join('\n')).not.toContain(password)
  child.kill('SIGTERM')
  expect([(await once(child, 'close'))[0], words()]).toEqual([0, expect.not.stringMatching(/Warning|Error/)])
})
