// If several cordons are found, only the one that is meant is taken off.
import { describe, expect, test } from 'vitest'
import { type Answer, failure, scripted } from '../testdata/scripted-api.ts'
import { uncordon } from './uncordon.ts'

const { signal } = new AbortController()
const reading = 'GET /api/v1/nodes/n2'
const patching = 'PATCH /api/v1/nodes/n2'
const cordon = { manager: 'outsider', atMs: Date.parse('2026-03-02T04:00:00Z') }
const choice = { node: 'n2', uid: 'uid-n2', cordon }

interface Found {
  readonly uid?: string
  readonly unschedulable?: boolean
  readonly by?: string
  readonly at?: string
  readonly version?: string
}

function node({
  uid = 'uid-n2',
  unschedulable = true,
  by = 'outsider',
  at = '2026-03-02T04:00:00Z',
  version = '5',
}: Found = {}): Answer {
  const managedFields = [{ manager: by, operation: 'Update', time: at, fieldsV1: { 'f:spec': { 'f:unschedulable': {} } } }]
  const spec = unschedulable ? { unschedulable } : {}
  return { status: 200, body: { kind: 'Node', metadata: { name: 'n2', uid, resourceVersion: version, managedFields }, spec } }
}

describe('a node', () => {
  // biome-ignore format: a table
  test.each<[string, readonly Answer[], readonly Answer[], object, number]>([
    ['with the cordon that is meant',              [node()],                                  [node({ unschedulable: false })],                          { kind: 'uncordoned' },                1],
    ['whose cordoner wrote something since',       [node({ at: '2026-03-02T04:03:00Z' })],    [node({ unschedulable: false })],                          { kind: 'uncordoned' },                1],
    ['that takes pods',                            [node({ unschedulable: false })],          [],                                                        { kind: 'unchanged' },                 0],
    ['that another has cordoned since',            [node({ by: 'kubectl' })],                 [],                                                        { kind: 'unchanged' },                 0],
    ['with an older cordon',                       [node({ at: '2026-03-01T04:00:00Z' })],    [],                                                        { kind: 'unchanged' },                 0],
    ['that is another of the same name',           [node({ uid: 'new' })],                    [],                                                        { kind: 'gone' },                      0],
    ['that is gone',                               [failure(404, 'NotFound', 'no such node')], [],                                                       { kind: 'gone' },                      0],
    ['that we may not patch',                      [node()],                                  [failure(403, 'Forbidden', 'you may not')],                { kind: 'refused', message: 'you may not' }, 1],
    ['that changed meanwhile, and is as it was',   [node(), node({ version: '6' })],          [failure(409, 'Conflict', 'old'), node({ unschedulable: false })], { kind: 'uncordoned' },        2],
    ['that was opened meanwhile',                  [node(), node({ unschedulable: false })],  [failure(409, 'Conflict', 'old')],                         { kind: 'unchanged' },                 1],
  ])('%s', async (_name, reads, writes, expected, patches) => {
    const server = scripted({ [reading]: reads, [patching]: writes })
    expect(await uncordon(server.context, choice, signal)).toMatchObject(expected)
    const sent = server.asked.filter(({ verb }) => verb === 'PATCH').map(({ body }) => JSON.parse(String(body)))
    expect(sent).toHaveLength(patches)
    for (const one of sent) expect(one.spec).toEqual({ unschedulable: null })
  })

  test('is not touched by who leads no more', async () => {
    const server = scripted({})
    server.leads = false
    await expect(uncordon(server.context, choice, signal)).rejects.toThrow('the lease is held by another')
    expect(server.asked).toEqual([])
  })

  test('that changes with every look is told, not written without its version', async () => {
    const server = scripted({ [reading]: [node()], [patching]: [failure(409, 'Conflict', 'old')] })
    await expect(uncordon(server.context, choice, signal)).rejects.toThrow('old')
  })
})
