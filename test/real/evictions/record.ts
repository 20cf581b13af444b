// Records the fixtures of test/fixtures/evictions: `node test/real/evictions/record.ts`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ControlPlaneOptions, startControlPlane } from '../control-plane/start.ts'
import { recordBudgetStatuses, recordEvictionSequence } from './budget-statuses.ts'
import { recordServerAnswers } from './server-answers.ts'

const directory = join(import.meta.dirname, '../../fixtures/evictions')
const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n0' },
  status: { allocatable: { cpu: '64', memory: '64Gi', pods: '500' } },
}

if (import.meta.main) {
  mkdirSync(directory, { recursive: true })
  await withControlPlane({ scheduler: 'off', controllerManager: false }, async ({ client, serverVersion }) => {
    write('server-answers.json', { serverVersion, evictions: await recordServerAnswers(client) })
  })
  await withControlPlane({ scheduler: '1.36', controllerManager: true }, async ({ client, serverVersion }) => {
    await client.want('POST', '/api/v1/nodes', node)
    write('budget-statuses.json', { serverVersion, budgets: await recordBudgetStatuses(client) })
    write('eviction-sequence.json', { serverVersion, ...(await recordEvictionSequence(client)) })
  })
}

type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>

async function withControlPlane(options: ControlPlaneOptions, use: (plane: ControlPlane) => Promise<void>): Promise<void> {
  const plane = await startControlPlane(options)
  try {
    await use(plane)
  } finally {
    await plane.stop()
  }
}

function write(name: string, content: object): void {
  writeFileSync(join(directory, name), `${JSON.stringify(content, undefined, 1)}\n`)
  console.log(`wrote ${name}`)
}
