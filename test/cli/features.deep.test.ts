// `ballast features` as its user runs it: a machine's tree looked at, what is found kept, rules tried on it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { writeTree } from '../real/features/tree-files.ts'
import { trees } from '../real/features/trees.ts'
import { runBallast } from './run-ballast.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-features-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function treeOf(name: string): string {
  const tree = trees.find(one => one.name === name)
  if (tree === undefined) throw new Error(`no tree ${name}`)
  const root = mkdtempSync(join(folder, `${name}-`))
  writeTree(root, tree)
  return root
}

const rule = `apiVersion: nfd.k8s-sigs.io/v1alpha1
kind: NodeFeatureRule
metadata: {name: graphics}
spec:
  rules:
    - name: intel graphics
      labels: {"vendor.example.com/gpu": "true"}
      matchFeatures:
        - feature: pci.device
          matchExpressions: {vendor: {op: In, value: ["8086"]}, class: {op: In, value: ["0300", "0380"]}}
`

test('what is found on a machine is tried with a rule', async () => {
  const root = treeOf('nuc')
  const { code, output } = await runBallast(['features', 'discover', '--root', root, '--node', 'nuc-1', '-o', 'yaml'])
  expect(code).toBe(0)
  expect(parse(output)).toMatchObject({
    kind: 'NodeFeature',
    metadata: { name: 'nuc-1', labels: { 'nfd.node.kubernetes.io/node-name': 'nuc-1' } },
  })
  const found = join(folder, 'found.yaml')
  writeFileSync(found, output)
  writeFileSync(join(folder, 'rule.yaml'), rule)
  const tried = await runBallast(['features', '-f', found, '-f', join(folder, 'rule.yaml'), '-o', 'json'])
  expect(tried.code).toBe(0)
  expect(JSON.parse(tried.output).nodes).toEqual([
    expect.objectContaining({
      node: 'nuc-1',
      gets: expect.arrayContaining([expect.objectContaining({ key: 'vendor.example.com/gpu', value: 'true' })]),
    }),
  ])
})

test('without a format it is a table, and says how the processor was asked', async () => {
  const { code, output, words } = await runBallast(['features', 'discover', '--root', treeOf('nuc'), '--node', 'nuc-1'])
  expect(code).toBe(0)
  expect(output).toMatch(/^nuc-1: \d+ features, \d+ labels; the processor was asked by /)
  expect(output).toContain('pci.device')
  expect(words).toContain('the tree has no proc/cpuinfo')
})

test.each([
  [['--root', 'docs'], 'holds no machine'],
  [['--node', 'not a node'], 'is no name of a node'],
])('discover %j is refused in words', async (args, why) => {
  const { code, output, words } = await runBallast(['features', 'discover', ...args])
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(why)
})

test('a configuration that says what it cannot is refused with its place', async () => {
  const config = join(folder, 'nfd-worker.conf')
  writeFileSync(config, 'core: {ownerRefs: [pod, pod]}\n')
  const { code, words } = await runBallast(['features', 'discover', '--config', config])
  expect(code).toBe(2)
  expect(words).toContain('core.ownerRefs')
})
