// Texts that are read, and texts that are made: fingerprints, policies of kubelets, what the kernel writes, upstream's configuration file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { HostTree } from '#machines/host-tree.ts'
import { writeTree } from '#test/real/features/tree-files.ts'
import { podsFingerprint } from './fingerprint.ts'
import { oldPolicyName, policyInAnswer, policyInFile } from './kubelet-policy.ts'
import { kindsOfCores, numaNodes } from './numa-nodes.ts'
import { excludedOn, readExcludeList, topologySchema } from './topology-settings.ts'

describe('fingerprints are those of upstream', () => {
  const many = Array.from({ length: 40 }, (_, at) => ({ namespace: `ns-${at % 7}`, name: 'pod-'.repeat(at) + at }))
  const two = [
    { namespace: 'default', name: 'a' },
    { namespace: 'kube-system', name: 'b' },
  ]
  // Made with another program's XXH64, of the same names.
  test.each([
    ['two pods', two, 'pfp0v001946bb722063b6bab'],
    ['the other way round', two.toReversed(), 'pfp0v001946bb722063b6bab'],
    ['one', two.slice(0, 1), 'pfp0v00173ac1f6debaedf3d'],
    ['none', [], 'pfp0v001ef46db3751d8e999'],
    ['names of all lengths', many, 'pfp0v0015b20a72ef9bf516a'],
    ['names beyond ASCII', [...many, { namespace: 'größe', name: 'ñandú-x' }], 'pfp0v0018ac089c4a8f680ba'],
  ])('%s', (_what, pods, expected) => expect(podsFingerprint(pods)).toBe(expected))
})

describe('policies of a kubelet', () => {
  test.each([
    ['single-numa-node', 'pod', 'SingleNUMANodePodLevel'],
    ['restricted', 'container', 'RestrictedContainerLevel'],
    ['best-effort', 'pod', 'BestEffortPodLevel'],
    ['none', 'container', 'None'],
    ['restricted', 'socket', 'None'],
    ['constructor', 'toString', 'None'],
  ])('%s by %s', (policy, scope, expected) => expect(oldPolicyName({ policy, scope })).toBe(expected))

  const file = (rest: string) => `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${rest}`
  test.each([
    [file('topologyManagerPolicy: restricted\ntopologyManagerScope: pod\n'), { policy: 'restricted', scope: 'pod' }],
    [file(''), { policy: 'none', scope: 'container' }],
  ])('a file %#', (text, expected) => expect(policyInFile(text, 'f')).toEqual(expected))
  test.each([
    ['', 'KubeletConfiguration'],
    ['kind: Pod', 'KubeletConfiguration'],
    ['a: [', 'f: '],
    [file('topologyManagerPolicy: [1]\n'), 'topologyManagerPolicy'],
    [`${file('x: &a [1,2]\n')}y: ${'[*a, '.repeat(300)}*a${']'.repeat(300)}`, 'f: '],
  ])('a file that is none %#', (text, why) => expect(() => policyInFile(text, 'f')).toThrow(why))
  test('an answer', () => {
    const text = JSON.stringify({ kubeletconfig: { topologyManagerPolicy: 'best-effort', topologyManagerScope: '' } })
    expect(policyInAnswer(text, 'k')).toEqual({ policy: 'best-effort', scope: 'container' })
  })
  test.each(['', '[]', '{"kubeletconfig":[]}', `{"kubeletconfig":{"topologyManagerScope":"${'x'.repeat(300)}"}}`])(
    'an answer that is none %#',
    text => expect(() => policyInAnswer(text, 'k')).toThrow(/^k: /),
  )
})

describe('what the kernel writes', () => {
  function read(files: Readonly<Record<string, string>>) {
    const root = mkdtempSync(join(tmpdir(), 'ballast-numa-'))
    try {
      writeTree(root, { files })
      const told: string[] = []
      const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
      const nodes = numaNodes(tree, what => void told.push(what))
      return { nodes, told, cores: kindsOfCores(tree) }
    } finally {
      rmSync(root, { recursive: true })
    }
  }
  const system = 'sys/devices/system/node'
  const nodeFiles = (id: number, distance: string) => ({
    [`${system}/node${id}/cpulist`]: `${id * 4}-${id * 4 + 2},${100 + id}\n`,
    [`${system}/node${id}/distance`]: `${distance}\n`,
    [`${system}/node${id}/meminfo`]: `Node ${id} MemTotal:       1000 kB\nNode ${id} MemFree: 7 kB\n`,
    [`${system}/node${id}/hugepages/hugepages-2048kB/nr_hugepages`]: '3\n',
    [`${system}/node${id}/hugepages/hugepages-1048576kB/nr_hugepages`]: '1\n',
  })

  test('processors, distances, memory; a number that is missing among the nodes shifts no distance', () => {
    const { nodes, told } = read({ ...nodeFiles(0, '10 21'), ...nodeFiles(2, '21 10'), [`${system}/possible`]: '0-3\n' })
    expect(told).toEqual([])
    expect(nodes[1]).toEqual({
      id: 2,
      cpus: [8, 9, 10, 102],
      distances: new Map([
        [0, 21],
        [2, 10],
      ]),
      memory: new Map([
        ['memory', 1_024_000],
        ['hugepages-1Gi', 2 ** 30],
        ['hugepages-2Mi', 3 * 2 ** 21],
      ]),
    })
  })

  test('what cannot be read is told, and the rest goes on', () => {
    const bad = { [`${system}/node0/cpulist`]: '0-99999999\n', [`${system}/node0/distance`]: '10 21 31\n' }
    const { nodes, told } = read({ ...nodeFiles(0, '10'), ...bad, [`${system}/node0/hugepages/odd/nr_hugepages`]: '1\n' })
    expect(nodes[0]).toMatchObject({ id: 0, cpus: [], distances: new Map() })
    expect(told).toHaveLength(3)
  })

  test('kinds of processors', () => {
    const { cores } = read({
      'sys/devices/cpu_core/cpus': '0-15\n',
      'sys/devices/cpu_atom/cpus': '16-23\n',
      'sys/devices/cpu/x': '',
    })
    expect(cores).toEqual([
      ['cpu_atom', '16-23'],
      ['cpu_core', '0-15'],
    ])
  })
})

describe("upstream's configuration file", () => {
  test('lists count on the nodes that they name, and on all', () => {
    const told: string[] = []
    const excludeList = readExcludeList(
      'excludeList: {n1: [cpu], "*": [hugepages-2Mi]}\nother: 1\n',
      'c',
      why => void told.push(why),
    )
    const settings = topologySchema.parse({ excludeList })
    expect([excludedOn('n1', settings), excludedOn('n2', settings), excludedOn('toString', settings)]).toEqual([
      new Set(['hugepages-2Mi', 'cpu']),
      new Set(['hugepages-2Mi']),
      new Set(['hugepages-2Mi']),
    ])
    expect(told).toEqual(['c: other is no key of the configuration, and has no effect'])
  })
  test.each(['', '# nothing', 'excludeList:\n'])('empty %#', text =>
    expect(readExcludeList(text, 'c', () => undefined)).toEqual({}),
  )
  test.each([
    ['excludeList: [', 'c'],
    ['excludeList: {*: [cpu]}', 'in quotes'],
    ['excludeList: {n1: cpu}', 'n1'],
    ['- 1', 'c'],
  ])('%s is refused', (text, why) => {
    let said = ''
    try {
      readExcludeList(text, 'c', () => undefined)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      said = JSON.stringify(error.problems)
    }
    expect(said).toContain(why)
  })
})
