import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { workload } from '../testdata/objects.ts'
import { editManifests, type Wish } from './manifest-edits.ts'
import { readManifests } from './manifests.ts'
import { ownerLabelWishes } from './owner-labels.ts'
import { policyFile } from './policy-file.ts'
import { isSame } from './yaml-edit.ts'

const folderOf = (files: Readonly<Record<string, string>>) =>
  readManifests(Object.entries(files).map(([path, text]) => ({ path, text })))
const affinity = { nodeAffinity: {} }
const made = (labels: Readonly<Record<string, string>>, annotations: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'cart', namespace: 'shop', labels, annotations },
  spec: {},
})
const byHelm = made({
  'app.kubernetes.io/managed-by': 'Helm',
  'app.kubernetes.io/instance': 'cart',
  'app.kubernetes.io/controller': 'web',
})
const byArgo = made(
  { 'app.kubernetes.io/instance': 'cart' },
  { 'argocd.argoproj.io/tracking-id': 'cart:apps/Deployment:shop/cart' },
)
const wishFor = (live: KubeObject): Wish => ({
  live,
  path: ['spec', 'template', 'spec', 'affinity'],
  value: before => ({ ...(before as object | undefined), ...affinity }),
})

const indented = (text: string, by: number) => text.replace(/^(?=.)/gm, ' '.repeat(by))
const release = (chart: string, values: string) =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: cart\nspec:\n${chart}  values:\n${indented(values, 4)}`
const named = '  chart:\n    spec: {chart: app-template}\n'
const referred = '  chartRef: {kind: OCIRepository, name: cart}\n'
const address = (url: string) =>
  `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: cart}\nspec: {url: "${url}"}\n`
const one = 'controllers:\n  web:\n    replicas: 1\n'
const two = `${one}  worker:\n    replicas: 2\n`
const probes = 'controllers:\n  web:\n    probes:\n      liveness: &probe\n        enabled: true\n      readiness: *probe\n'

// biome-ignore format: a table
const rows: readonly (readonly [what: string, file: string, more: Readonly<Record<string, string>>, at: readonly string[]])[] = [
  ['the only controller', release(named, one), {}, ['controllers', 'web', 'pod', 'affinity']],
  ['the one that the label names', release(named, two), {}, ['controllers', 'web', 'pod', 'affinity']],
  ['the chart by its address', release(referred, one), { 'o.yaml': address('oci://ghcr.io/bjw-s-labs/helm/app-template') }, ['controllers', 'web', 'pod', 'affinity']],
  ['where it stands for all pods already', release(named, `${one}defaultPodOptions:\n  affinity:\n    podAffinity: {}\n`), {}, ['defaultPodOptions', 'affinity']],
  ['for all pods, of two controllers: the one gets its own, with what it had', release(named, `${two}defaultPodOptions:\n  affinity:\n    podAffinity: {}\n`), {}, ['controllers', 'web', 'pod', 'affinity']],
  ['anchors elsewhere in the values', release(named, probes), {}, ['controllers', 'web', 'pod', 'affinity']],
]
test.each(rows)('values of app-template: %s', (_what, file, more, at) => {
  const folder = folderOf({ 'r.yaml': file, ...more })
  const { changes, placed } = editManifests(folder, [wishFor(byHelm)])
  expect(placed.map(({ because }) => because)).toEqual([undefined])
  const [change] = changes
  const values = parse(change?.after ?? '').spec.values
  const had = file.includes('podAffinity') ? { podAffinity: {} } : {}
  expect(at.reduce((inner, key) => inner?.[key], values)).toEqual({ ...had, ...affinity })
  expect(parse(change?.after ?? '').spec.postRenderers).toBeUndefined()
  // Every line of the user's is there yet, and a second time changes nothing.
  for (const line of file.split('\n')) expect(change?.after).toContain(line)
  expect(editManifests(folderOf({ 'r.yaml': change?.after ?? '', ...more }), [wishFor(byHelm)]).changes).toEqual([])
})

// biome-ignore format: a table
test.each([
  ['another chart', release('  chart:\n    spec: {chart: redis}\n', one), {}],
  ['the address of another chart', release(referred, one), { 'o.yaml': address('oci://ghcr.io/others/redis') }],
  ['values of its first version, without controllers', release(named, 'controller:\n  type: deployment\n'), {}],
  ['a template in place of an affinity', release(named, `${one}defaultPodOptions:\n  affinity: "{{ .Values.x }}"\n`), {}],
])('a post-renderer where values do not say it: %s', (_what, file, more) => {
  const { changes } = editManifests(folderOf({ 'r.yaml': file, ...more }), [wishFor(byHelm)])
  const { spec } = parse(changes[0]?.after ?? '')
  expect(isSame(spec.values, parse(file).spec.values)).toBe(true)
  expect(parse(spec.postRenderers[0].kustomize.patches[0].patch).spec.template.spec.affinity).toEqual(affinity)
})

const application = (source: string, name = 'cart') =>
  `apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: ${name}\nspec:\n  destination:\n    namespace: shop\n${source}`
const inText = `  source:\n    chart: app-template\n    helm:\n      values: |\n        # Ours.\n${indented(one, 8)}`
const inObject = `  sources:\n  - ref: values\n    repoURL: https://example.org\n  - chart: app-template\n    helm:\n      valuesObject:\n${indented(one, 8)}`

test('inline values of an Application: as a text, which keeps its comments, and as an object', () => {
  const written = (file: string) => editManifests(folderOf({ 'a.yaml': file }), [wishFor(byArgo)]).changes[0]?.after ?? ''
  const text = parse(written(application(inText))).spec.source.helm.values
  expect(parse(text).controllers.web).toEqual({ replicas: 1, pod: { affinity } })
  expect(text).toContain('# Ours.')
  const object = parse(written(application(inObject))).spec.sources[1].helm.valuesObject
  expect(object.controllers.web).toEqual({ replicas: 1, pod: { affinity } })
  expect(editManifests(folderOf({ 'a.yaml': written(application(inText)) }), [wishFor(byArgo)]).changes).toEqual([])
})

// biome-ignore format: a table
test.each([
  ['another chart', application('  source:\n    chart: redis\n'), 'Application cart of Argo CD makes it with chart redis, of which it is not known what value sets affinity'],
  ['manifests of another repository', application('  source:\n    path: apps/cart\n'), 'Application cart of Argo CD makes it from manifests that are not here'],
  ['no values inline', application('  source:\n    chart: app-template\n    helm:\n      valueFiles: [x.yaml]\n'), 'Application cart of Argo CD makes it, and its inline values cannot say it (spec.source.helm)'],
  ['an Application that is not here', application('  source:\n    chart: app-template\n', 'other'), 'Application cart of Argo CD makes it, which is not here'],
])('an Application that cannot say it is named: %s', (_what, file, because) => {
  const { changes, placed } = editManifests(folderOf({ 'a.yaml': file }), [wishFor(byArgo)])
  expect([changes, placed[0]?.because]).toEqual([[], because])
  expect(parse(placed[0]?.patch ?? '').spec.template.spec).toEqual({ affinity })
})

test('owner labels: for what nothing but a label and a budget holds, in the manifest, the values or a patch', () => {
  const objects = [...workload('shop/web', { on: ['a'] }), ...workload('shop/cart', { on: ['a'] })]
  const { state } = buildClusterState(objects)
  const held = (name: string, also: readonly string[]) => ({
    pod: { namespace: 'shop', name, uid: name },
    node: 'a',
    workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name, uid: `deployment-shop-${name}` },
    code: 'Unlabelled' as const,
    data: {},
    also: also.map(code => ({ code: code as 'NoPDB', data: {} })),
  })
  const wishes = ownerLabelWishes(state, [held('web', ['NoPDB']), held('cart', ['LocalStorage'])], defaultOwnerLabel)
  expect(wishes.map(({ live }) => live.metadata.name)).toEqual(['web'])
  const manifest = 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web # mine\n  namespace: shop\nspec: {}\n'
  const label = { 'ballast.dev/managed-by': 'descheduler' }
  const [change] = editManifests(folderOf({ 'w.yaml': manifest }), wishes).changes
  expect([parse(change?.after ?? '').metadata.labels, change?.after.includes('# mine')]).toEqual([label, true])
  const [patch] = editManifests(folderOf({}), wishes).placed
  expect(parse(patch?.patch ?? '').metadata).toEqual({ name: 'web', namespace: 'shop', labels: label })
  const [values] = editManifests(
    folderOf({ 'r.yaml': release(named, one) }),
    wishes.map(wish => ({ ...wish, live: byHelm })),
  ).changes
  expect(parse(values?.after ?? '').spec.values.controllers.web.labels).toEqual(label)
})

test('the policy: a file of its own, taken in where the kustomization of its cluster is known, and never twice', () => {
  const policy: KubeObject = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'mine', uid: 'x' },
    spec: { goals: [] },
    status: {},
  }
  const files = { 'prod/kustomization.yaml': 'kind: Kustomization\nresources:\n- web.yaml\n', 'prod/web.yaml': 'a: 1\n' }
  const write = (given: Readonly<Record<string, string>>, overlay?: string) => {
    const folder = folderOf(given)
    return policyFile({ folder, texts: folder.files, overlay }, policy)
  }
  const taken = write(files, 'prod')
  expect(taken.changes.map(({ path }) => path)).toEqual(['prod/mine-rebalancepolicy.yaml', 'prod/kustomization.yaml'])
  expect(parse(taken.changes[0]?.after ?? '')).toEqual({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'mine' },
    spec: { goals: [] },
  })
  expect(parse(taken.changes[1]?.after ?? '').resources).toEqual(['web.yaml', 'mine-rebalancepolicy.yaml'])
  const loose = write(files)
  expect([loose.changes.map(({ path }) => path), loose.lines[0]]).toEqual([
    ['ballast/mine-rebalancepolicy.yaml'],
    expect.stringContaining('no kustomization takes in'),
  ])
  const again = write({ ...files, 'prod/p.yaml': taken.changes[0]?.after ?? '' }, 'prod')
  expect(again).toEqual({ changes: [], lines: ['RebalancePolicy mine: `prod/p.yaml` has it already'] })
})
