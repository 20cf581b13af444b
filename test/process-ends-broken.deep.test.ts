// A real process with a part that has a bug, told to end: it ends within its grace, whatever the part does, with 0 where all ended in order
// and with 1 where something did not, or where a fault that nobody owns has ended it before. Where its loop does not turn the thread kills it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { writePrivately } from '../src/cli/source/private-file.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { graceOf } from '../src/process/ending.ts'
import type { BrokenWay } from './breaking-part-process.ts'

const namespace = 'ballast-system'
const root = join(import.meta.dirname, '..')

// biome-ignore format: a table
const rows: readonly (readonly [BrokenWay, number | 'SIGKILL', number])[] = [
  ['its start throws',                       0, graceOf({}).inOrderMs],
  ['its start goes on for ever',             1, graceOf({}).atAllMs],
  ['its timer throws',                       0, graceOf({}).inOrderMs],
  ['its promise is rejected',                0, graceOf({}).inOrderMs],
  ['its handler throws, and nobody owns it', 1, graceOf({}).inOrderMs],
  ['its end throws',                         1, graceOf({}).inOrderMs],
  ['its end never comes',                    1, graceOf({}).atAllMs],
  ['its end blocks the loop',        'SIGKILL', graceOf({}).atAllMs + 2_000],
]

test.concurrent.each(rows)('%s: ends with %s', { timeout: 300_000 }, async (way, expected, limitMs) => {
  await using stack = new AsyncDisposableStack()
  const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: [], listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  stack.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal: new AbortController().signal })
  const folder = mkdtempSync(join(tmpdir(), 'ballast-broken-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const kubeconfig = join(folder, 'kubeconfig')
  writePrivately(kubeconfig, await twin.kubeconfig())
  const preload = join(root, 'test', 'breaking-part-process.ts')
  const program = join(root, 'src', 'cli', 'main.ts')
  const args = ['--disable-warning=ExperimentalWarning', '--import', preload, program, 'controller', '--enable', 'broken']
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: kubeconfig, BALLAST_POD_NAMESPACE: namespace, BROKEN_WAY: way },
  })
  let words = ''
  const begun = Promise.withResolvers<void>()
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text
    if (words.includes('the broken part begins')) begun.resolve()
  })
  const ended = new Promise<{ readonly code: number | null; readonly signal: string | null }>(resolve =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  await Promise.race([begun.promise, ended])
  // It has done its wrong by now, and what follows from that is under way.
  await Promise.race([systemClock.after(1_500), ended])
  const toldMs = systemClock.elapsed()
  child.kill('SIGTERM')
  const end = await ended
  const tookMs = systemClock.elapsed() - toldMs
  const how = { way, ended: end.signal ?? end.code }
  expect({ ...how, begun: words.includes('the broken part begins'), words: how.ended === expected ? '' : words }).toEqual({
    ...{ way, ended: expected },
    begun: true,
    words: '',
  })
  expect(tookMs).toBeLessThan(limitMs)
})
