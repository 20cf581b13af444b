// What the planner refuses in a goal the API server refuses first, in the same words: the rules of the definition against the planner's own.
import { describe, expect, test } from 'vitest'
import { ballastApiVersion } from '#coordination/api.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import { seededRandom } from '#kube/random.ts'
import { validateCustom } from '#twin/api/custom/custom-schema.ts'
import { fieldsAt, itemsAt } from '#twin/json-value.ts'

const definition = { ...ballastKinds.find(({ kind }) => kind === 'RebalancePolicy')?.definition }
const [version = {}] = itemsAt(fieldsAt(definition, 'spec') ?? {}, 'versions')
const schema = fieldsAt(fieldsAt(version, 'schema') ?? {}, 'openAPIV3Schema') ?? {}

const policyOf = (goals: readonly object[], mode = 'Report') => ({
  apiVersion: ballastApiVersion,
  kind: 'RebalancePolicy',
  metadata: { name: 'p' },
  spec: { trigger: 'manual', mode, goals },
})

const goal = { name: 'g', nodes: ['a'], resource: 'cpu' }
const messagesOf = (object: ReturnType<typeof policyOf>, existing?: ReturnType<typeof policyOf>) =>
  validateCustom(schema, object, existing).map(({ field, body }) => `${field}: ${body}`)

function refusals(given: object): { readonly server: readonly string[]; readonly planner: readonly string[] } {
  const object = policyOf([{ ...goal, ...given }])
  const read = readPolicy(object)
  return {
    server: messagesOf(object),
    planner: read.ok ? [] : read.problems.map(({ where, expected }) => `${where}: ${expected}`),
  }
}

describe('both refuse the same', () => {
  // biome-ignore format: a table
  test.each<[object, string]>([
    [{ max: 70.555 },                                          'a number with at most two decimals'],
    [{ min: 0.001 },                                           'a number with at most two decimals'],
    [{ spread: { max: 5.005 } },                               'a number with at most two decimals'],
    [{ deviation: { max: 12.3456 } },                          'a number with at most two decimals'],
    [{ resource: 'nvidia.com/gpu', stat: 'usage', max: 50 },   'requests: only cpu and memory are measured'],
  ])('%j', (given, words) => {
    const { server, planner } = refusals(given)
    expect(server).toEqual([expect.stringContaining(words)])
    expect(planner).toEqual([expect.stringContaining(words)])
  })

  test.each(['nvidia.com/', 'a b', '/gpu', '-x', 'NVIDIA.com/gpu/x', ''])('the resource %j', resource => {
    const { server, planner } = refusals({ resource, max: 50 })
    expect(server.length).toBeGreaterThan(0)
    expect(planner.length).toBeGreaterThan(0)
  })

  test.each(['nvidia.com/gpu', 'gpu.intel.com/i915', 'ephemeral-storage', 'hugepages-2Mi', 'pods'])(
    'neither the resource %s',
    resource => {
      expect(refusals({ resource, max: 50.25 })).toEqual({ server: [], planner: [] })
    },
  )

  test('of 400 percentages, whatever floating point makes of them', () => {
    const random = seededRandom(7)
    for (let count = 0; count < 400; count++) {
      const isFine = count % 2 === 0
      const max = Number((random() * 100).toFixed(isFine ? 2 : 4))
      const { server, planner } = refusals({ max })
      const isTaken = Number(max.toFixed(2)) === max
      expect([server.length === 0, planner.length === 0], String(max)).toEqual([isTaken, isTaken])
    }
  })
})

test('a policy that was stored before may be changed elsewhere', () => {
  const stored = policyOf([{ ...goal, max: 70.555 }])
  expect(messagesOf(policyOf([{ ...goal, max: 70.555 }], 'Approve'), stored)).toEqual([])
  // The list of goals is one value: who edits it mends it.
  const more = [
    { ...goal, max: 70.555 },
    { ...goal, name: 'h', max: 60 },
  ]
  expect(messagesOf(policyOf(more), stored)).toEqual([expect.stringContaining('a number with at most two decimals')])
})
