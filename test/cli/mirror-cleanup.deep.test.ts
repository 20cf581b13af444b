// The cleanup of the chart's hook as its pods run it: one process that gives a node its hosts files back and answers, one that waits for it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { runBallast } from './run-ballast.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const ended = (child: ChildProcess) =>
  new Promise<number | null>(resolve => (child.exitCode === null ? child.once('exit', resolve) : resolve(child.exitCode)))

/** Every file below a directory, with its content. */
function filesOf(root: string): Readonly<Record<string, string>> {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Object.fromEntries(
    paths.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(root.length + 1), readFileSync(path, 'utf8')]
    }),
  )
}

test('case 19: what the mirror wrote goes, what was there comes back byte for byte, and who waits hears of it', async () => {
  const root = await temporaryDirectory()
  const before = { 'docker.io/hosts.toml': "server = 'https://registry-1.docker.io'\n", 'ghcr.io/ca.crt': 'a certificate' }
  for (const [path, content] of Object.entries(before)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  const directory = `--containerd-registry-config-path=${root}`
  const targets = ['--mirror-targets', 'http://10.0.0.7:29999', '--prepend-existing']
  expect((await runBallast(['spegel', 'configuration', directory, ...targets])).code).toBe(0)
  expect(Object.keys(filesOf(root))).toContain('_default/hosts.toml')
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const cleanup = spawn(process.execPath, [main, 'spegel', 'cleanup', `--addr=${address}`, directory], { stdio: 'ignore' })
  onTestFinished(() => void cleanup.kill('SIGKILL'))
  const waited = await runBallast(['spegel', 'cleanup-wait', `--probe-endpoint=${address}`, '--threshold=2', '--period=100ms'])
  expect([waited.code, filesOf(root)]).toEqual([0, before])
  await vi.waitUntil(async () => (await fetch(`http://${address}/readyz`)).status === 200, { timeout: 200_000 })
  cleanup.kill('SIGTERM')
  expect(await ended(cleanup)).toBe(0)
})
