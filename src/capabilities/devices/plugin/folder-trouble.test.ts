// A folder in which no socket can be made is told once an hour, and hangs on no server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Answer, failure, scripted } from '#coordination/testdata/scripted-api.ts'
import type { Log } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { FolderTeller, folderTrouble } from './folder-trouble.ts'

const hourMs = 3_600_000
const path = '/apis/events.k8s.io/v1/namespaces/default/events'
const missing = "ENOENT: no such file or directory, access '/var/lib/kubelet/device-plugins'"

function site(answer: Answer) {
  const { api, clock, asked } = scripted({ [`POST ${path}`]: [answer] })
  const told: string[] = []
  const nothing = () => undefined
  const log: Log = { debug: nothing, info: nothing, warn: (_facts, message) => told.push(message), error: nothing }
  const identity = { name: 'agent', namespace: 'agents', instance: 'agent_1' }
  const ports = { take: nothing, offer: nothing }
  const context = { clock, random: seededRandom(1), log, identity, ports, node: 'n1', api }
  const bodies = () => asked.map(({ body }) => JSON.parse(String(body)))
  return { clock, context, told, bodies }
}

test('a folder that is there can be used, one that is not says why, and so does a file in its place', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-folder-'))
  try {
    expect(folderTrouble(folder)).toBeUndefined()
    expect(folderTrouble(join(folder, 'missing'))).toMatch(/ENOENT/)
    writeFileSync(join(folder, 'file'), '', { mode: 0o600 })
    expect(folderTrouble(join(folder, 'file'))).toMatch(/EACCES|ENOTDIR/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('an Event on the node says it once an hour', async () => {
  const { clock, context, bodies, told } = site({ status: 201, body: {} })
  const teller = new FolderTeller(context)
  for (let second = 0; second <= 2 * 3_600; second += 60) {
    await teller.tell('/var/lib/kubelet/device-plugins', missing)
    await clock.advance(60_000)
  }
  expect(bodies()).toHaveLength(3)
  expect(bodies()[0]).toMatchObject({
    type: 'Warning',
    reason: 'PluginFolderUnusable',
    regarding: { kind: 'Node', name: 'n1' },
    note: expect.stringContaining('ENOENT'),
  })
  expect(told).toHaveLength(3)
})

test.each([
  ['refuses', failure(403, 'Forbidden', 'not allowed')],
  ['is away', 'broken' as const],
])('a server that %s holds up no look', async (_what, answer) => {
  const { clock, context } = site(answer)
  let isDone = false
  const telling = new FolderTeller(context).tell('/x', missing).then(() => {
    isDone = true
  })
  await clock.runUntil(() => isDone, { limitMs: hourMs })
  await telling
  expect(isDone).toBe(true)
})

test('without a server the log says it', async () => {
  const { context, told } = site('broken')
  await new FolderTeller({ ...context, api: undefined }).tell('/x', missing)
  expect(told).toEqual(['the folder of device plugins cannot be used: no pod gets a device'])
})
