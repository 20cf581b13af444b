// What a user's mistake looks like: one line naming file, document, object and field, and exit code 2; or the object set aside and named.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { freshCluster } from '../fresh-cluster.ts'
import { runBallast } from './run-ballast.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-bad-input-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const good = freshCluster(1002)
let files = 0

/** The good cluster with `more` after it, in a file of its own. */
function clusterWith(more: string): string {
  const file = join(folder, `cluster-${files++}.yaml`)
  writeFileSync(file, `${good}---\n${more}`)
  return file
}

const pod = (name: string, more: object, spec: object = {}) =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'fresh', ...more },
    spec: { nodeName: 'node-0', containers: [{ name: 'main' }], ...spec },
  })
const requesting = (cpu: string) => ({ containers: [{ name: 'main', resources: { requests: { cpu } } }] })

describe('an object that cannot be right is set aside and named, and the rest stands', () => {
  // biome-ignore format: a table
  test.each([
    // case                      document                                                                                      names
    ['a broken document',        'apiVersion: v1\nkind: [\n',                                                                  [/document \d+/]],
    ['an unknown kind',          'apiVersion: v1\nkind: Pood\nmetadata: {name: a}\n',                                          [/Pood/, /Pod/]],
    ['a negative quantity',      pod('minus', {}, requesting('-1')),                                                           [/Pod fresh\/minus/, /spec\.containers\[0\]\.resources\.requests\.cpu/, /"-1"/]],
    ['an absurd quantity',       pod('absurd', {}, requesting('9e300')),                                                       [/Pod fresh\/absurd/, /spec\.containers\[0\]\.resources\.requests\.cpu/]],
    ['a quantity with no unit',  pod('unit', {}, requesting('1 core')),                                                        [/Pod fresh\/unit/, /requests\.cpu/, /1 core/]],
    ['a pod on a missing node',  pod('lost', {}, { nodeName: 'node-99' }),                                                     [/Pod fresh\/lost/, /spec\.nodeName/, /node-99/]],
    ['a selector out of order',  stringify({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'sel', namespace: 'fresh' }, spec: { maxUnavailable: 1, selector: { matchExpressions: [{ key: 'a b', operator: 'In', values: [] }] } } }), [/PodDisruptionBudget fresh\/sel/, /spec\.selector/]],
    ['an operator of nobody',    stringify({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'op', namespace: 'fresh' }, spec: { maxUnavailable: 1, selector: { matchExpressions: [{ key: 'a', operator: 'Is', values: ['b'] }] } } }), [/PodDisruptionBudget fresh\/op/, /operator/, /Is/]],
    ['a 50 MB annotation',       pod('huge', { annotations: { big: 'x'.repeat(50_000_000) } }),                                [/Pod fresh\/huge/, /annotations/]],
  ])('%s', async (_name, document, names) => {
    const file = clusterWith(document)
    const { code, words, output } = await runBallast(['plan', '--cluster', file])
    const line = words.split('\n').find(text => names.every(pattern => pattern.test(text))) ?? `no line has it all: ${words.slice(0, 2_000)}`
    expect(line).toContain(`set aside: ${file}`)
    expect(line.length).toBeLessThan(1_000)
    expect(output).toContain('NODE')
    expect(code).toBe(0)
  })
})

describe('a mistake that leaves nothing to stand on ends with 2 and one line', () => {
  test('two nodes of one name', async () => {
    const file = clusterWith(
      stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-0' }, status: { allocatable: { cpu: '1' } } }),
    )
    const { code, words, output } = await runBallast(['plan', '--cluster', file])
    expect(words).toMatch(/Node node-0/)
    expect(words.trim().split('\n')).toHaveLength(1)
    expect({ code, output }).toEqual({ code: 2, output: '' })
  })

  // biome-ignore format: a table
  test.each([
    ['a file that is not there',   ['plan', '--cluster', 'no-such-folder'],             /no-such-folder/],
    ['no cluster at all',          ['plan'],                                            /--cluster PATH or --kubeconfig FILE/],
    ['two clusters',               ['plan', '--cluster', 'a', '--kubeconfig', 'b'],     /exclude each other/],
    ['a format of nobody',         ['plan', '--cluster', 'a', '-o', 'xml'],             /table, json, yaml, lp/],
    ['a seed that is no number',   ['up', '--seed', 'x'],                               /whole number/],
    ['an unknown command',         ['plam'],                                            /unknown command/],
    ['json without an end',        ['up', '-o', 'json'],                                /--once/],
    ['a version of nobody',        ['twin', '--kubernetes-version', '1.10'],            /1\.32 to 1\.36/],
    ['kubelets of somebody else',  ['twin', '--open-kubelets', '--kubelet', 'off'],     /leave out --kubelet off/],
    ['kubelets of one run',        ['twin', '--open-kubelets', '--once'],               /leave out --open-kubelets/],
    ['a count read in the action', ['spegel', 'cleanup-wait', '--probe-endpoint', 'x', '--threshold', 'y'], /--threshold: found "y"/],
  ])('%s', async (_name, args, says) => {
    const { code, words, output } = await runBallast(args)
    expect(words).toMatch(says)
    expect(words).not.toMatch(/\n\s+at /)
    expect({ code, output }).toEqual({ code: 2, output: '' })
  })
})

describe('a variable with a wrong value is refused by its name', () => {
  // biome-ignore format: a table
  test.each([
    ['LOG_LEVEL',    'foo', ['spegel', 'configuration', '--mirror-targets', 'http://10.0.0.1:30020']],
    ['BALLAST_SEED', 'x',   ['up', '--once']],
    ['BALLAST_SEED', 'x',   ['twin', '--once', '--nodes', '1']],
  ])('%s=%s', async (name, value, args) => {
    const { code, words, output } = await runBallast(args, '', { environment: { [name]: value } })
    expect(words).toContain(`${name}: found "${value}". It must be`)
    expect({ code, output }).toEqual({ code: 2, output: '' })
  })
})

describe('a policy that cannot be', () => {
  const policy = (spec: object) => {
    const file = join(folder, `policy-${files++}.yaml`)
    writeFileSync(
      file,
      stringify({
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'RebalancePolicy',
        metadata: { name: 'odd' },
        spec: { trigger: 'manual', ...spec },
      }),
    )
    return file
  }
  const goal = (name: string, bound: object) => ({ name, nodes: ['node-0'], resource: 'cpu', ...bound })

  // biome-ignore format: a table
  test.each([
    // case                            spec                                                                                          says                       code
    ['names a node that is not there', { goals: [{ name: 'a', nodes: ['node-77'], resource: 'cpu', max: 50 }] },                     /node-77/,                 2],
    ['has goals that contradict',      { goals: [goal('low', { max: 20 }), goal('high', { min: 60 })] },                             /goal low on node node-0/, 2],
    ['excludes what it needs',         { goals: [goal('low', { max: 5 })], scope: { namespaces: { exclude: ['fresh'] } } },          /fresh/,                   4],
    ['has no goals',                   { goals: [] },                                                                                /spec\.goals/,             2],
    ['has a goal of nothing',          { goals: [{ name: 'a', nodes: ['node-0'], resource: 'disk', max: 5 }] },                      /spec\.goals\.0\.resource|spec\.goals\[0\]\.resource/, 2],
  ])('%s', async (_name, spec, says, expected) => {
    const { code, words, output } = await runBallast(['plan', '--cluster', clusterWith(''), '--policy-file', policy(spec)])
    expect(`${words}${output}`).toMatch(says)
    expect(output).not.toContain('MOVE ')
    expect(code).toBe(expected)
  })
})

describe('a plan file', () => {
  const plan = async () => {
    const cluster = clusterWith('')
    const { code, output } = await runBallast(['plan', '--cluster', cluster, '-o', 'yaml'])
    expect(code).toBe(0)
    return {
      cluster,
      object: parse(output) as {
        spec: { moves: { id: string; to: string; certificate: { to: string; requests: { cpu: number } } }[] }
      },
    }
  }
  const verify = async (cluster: string, object: object) => {
    const file = join(folder, `plan-${files++}.yaml`)
    writeFileSync(file, stringify(object))
    return await runBallast(['plan', 'verify', file, '--cluster', cluster])
  }

  test('holds as it was made', async () => {
    const { cluster, object } = await plan()
    const { code, output } = await verify(cluster, object)
    expect(output).toContain(`${object.spec.moves.length} certificates hold`)
    expect(code).toBe(0)
  })

  test('with another destination is refused with the move and the resource', async () => {
    const { cluster, object } = await plan()
    const move = object.spec.moves[0] ?? expect.fail('no move')
    move.to = 'node-0'
    move.certificate.to = 'node-0'
    const { code, words } = await verify(cluster, object)
    expect(words).toContain(move.id)
    expect(code).toBe(3)
  })

  test('with another request is refused with the move and the resource', async () => {
    const { cluster, object } = await plan()
    const move = object.spec.moves[0] ?? expect.fail('no move')
    move.certificate.requests.cpu -= 1
    const { code, words } = await verify(cluster, object)
    expect(words).toMatch(new RegExp(`${move.id}.*cpu`))
    expect(code).toBe(3)
  })

  test('of another kind ends with 2', async () => {
    const { cluster } = await plan()
    expect((await verify(cluster, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } })).code).toBe(2)
  })
})
