// Real replicas of every process that has a Lease: the one that does not lead is alive and ready, and says that it stands by.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { writePrivately } from '../src/cli/source/private-file.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { commandLine } from './cli/bundled.ts'
import { standbyProcesses } from './standby-processes.ts'

const namespace = 'ballast-system'

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

const trusting = new Agent({ connect: { rejectUnauthorized: false } })

/** Status and text; `0` while nobody answers. */
async function asked(url: string): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const { statusCode, body } = await request(url, { dispatcher: trusting })
    return { status: statusCode, text: await body.text() }
  } catch (error) {
    return { status: 0, text: String(error) }
  }
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await systemClock.after(100)
}

test.each(Object.entries(standbyProcesses))('%s', { timeout: 180_000 }, async (_name, row) => {
  await using stack = new AsyncDisposableStack()
  const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: [], listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  stack.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal: new AbortController().signal })
  const folder = mkdtempSync(join(tmpdir(), 'ballast-standby-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(row.files ?? {})) writeFileSync(join(folder, file), text)
  const kubeconfig = join(folder, 'kubeconfig')
  writePrivately(kubeconfig, await twin.kubeconfig())
  const start = async (replica: string) => {
    const port = await freePort()
    const args = row.args.map(word => word.replace('FOLDER', folder).replace('PORT', String(port)))
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandLine, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        KUBECONFIG: kubeconfig,
        POD_NAME: replica,
        POD_NAMESPACE: namespace,
        RELOADER_NAMESPACE: namespace,
      },
    })
    child.stderr.resume()
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    stack.defer(async () => {
      child.kill('SIGTERM')
      await ended
    })
    return (path: string) => asked(`${row.scheme ?? 'http'}://127.0.0.1:${port}${path}`)
  }
  const isHeld = () => twin.access.list('leases.coordination.k8s.io').some(({ metadata }) => metadata.name === row.lease)
  const first = await start('first')
  await until(async () => isHeld() && (await first(row.ready)).status === 200)
  const second = await start('second')
  await until(async () => (await second(row.ready)).status === 200)
  // It has stood for the Lease by now, and goes on.
  await systemClock.after(3_000)
  for (const path of row.paths) expect({ path, ...(await second(path)) }).toMatchObject({ path, status: 200 })
  if (row.says === undefined) return
  await until(async () => row.leads === undefined || row.leads.test((await first(row.ready)).text))
  expect((await second(row.ready)).text).toMatch(row.says)
  expect((await second(row.ready)).text).not.toContain('[-]')
  expect((await first(row.ready)).text).not.toMatch(/leader-election ok: standby/)
})
