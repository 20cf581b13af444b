import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { editManifests, type Wish } from './manifest-edits.ts'
import { targetOf } from './manifest-target.ts'
import { readManifests } from './manifests.ts'

const web = (metadata: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', ...metadata },
  spec: {},
})
const manifest = (name: string, namespace?: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ${name}\n${namespace === undefined ? '' : `  namespace: ${namespace}\n`}spec:\n  template:\n    spec:\n      containers: []\n`
const kustomization = (more: string) => `kind: Kustomization\n${more}`
const folderOf = (files: Readonly<Record<string, string>>) =>
  readManifests(Object.entries(files).map(([path, text]) => ({ path, text })))
const helm = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'shop-web', 'meta.helm.sh/release-namespace': 'shop' },
}
const release = (spec: string, name = 'web') =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: ${name}, namespace: flux-system}\nspec:\n  interval: 1h\n${spec}`

/** `manifest FILE`, `overlay FOLDER FILE`, `helm-release FILE` or why there is none. */
function aim(files: Readonly<Record<string, string>>, live = web(), overlay?: string): string {
  const target = targetOf(folderOf(files), live, overlay)
  if (target.kind === 'none') return target.because
  return [target.kind, ...(target.kind === 'overlay' ? [target.folder] : []), target.manifest.file].join(' ')
}

// biome-ignore format: a table
const places: readonly (readonly [string, Readonly<Record<string, string>>, string | RegExp, KubeObject?, string?])[] = [
  ['as it stands', { 'web.yaml': manifest('web', 'shop') }, 'manifest web.yaml'],
  ['another namespace is another workload', { 'web.yaml': manifest('web', 'other') }, /^no manifest of Deployment shop\/web is here$/],
  ['no namespace: whoever applies it says so', { 'web.yaml': manifest('web') }, 'manifest web.yaml'],
  ['the one with the namespace before the one without', { 'a.yaml': manifest('web'), 'b.yaml': manifest('web', 'shop') }, 'manifest b.yaml'],
  ['in several places', { 'a.yaml': manifest('web', 'shop'), 'b.yaml': manifest('web', 'shop') }, /^it is written in several places \(a\.yaml document 1, b\.yaml document 1\); --overlay/],
  ['the namespace of its kustomization', { 'app/web.yaml': manifest('web'), 'app/kustomization.yaml': kustomization('namespace: shop\nresources: [web.yaml]\n') }, 'manifest app/web.yaml'],
  ['... which holds over its own', { 'app/web.yaml': manifest('web', 'base'), 'app/kustomization.yaml': kustomization('namespace: shop\nresources: [web.yaml]\n') }, 'manifest app/web.yaml'],
  ['prefix and suffix', { 'app/web.yaml': manifest('e'), 'app/kustomization.yml': kustomization('namespace: shop\nnamePrefix: w\nnameSuffix: b\nresources: [./web.yaml]\n') }, 'manifest app/web.yaml'],
  ['a base that one overlay takes in', { 'base/web.yaml': manifest('web'), 'base/kustomization.yaml': kustomization('resources: [web.yaml]\n'), 'prod/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n') }, 'manifest base/web.yaml'],
  ['a base that two overlays take in, of which one makes it', { 'base/web.yaml': manifest('web'), 'base/kustomization.yaml': kustomization('resources: [web.yaml]\n'), 'prod/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n'), 'test/kustomization.yaml': kustomization('namespace: test\nresources: [../base]\n') }, 'overlay prod base/web.yaml'],
  ['... of which both make it', { 'base/web.yaml': manifest('web'), 'base/kustomization.yaml': kustomization('resources: [web.yaml]\n'), 'one/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n'), 'two/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n') }, /^several overlays make it \(one, two\); --overlay names/],
  ['... and one is named', { 'base/web.yaml': manifest('web'), 'base/kustomization.yaml': kustomization('resources: [web.yaml]\n'), 'one/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n'), 'two/kustomization.yaml': kustomization('namespace: shop\nresources: [../base]\n') }, 'overlay two base/web.yaml', web(), 'two'],
  ['kustomizations in a ring', { 'a/kustomization.yaml': kustomization('resources: [../b]\n'), 'b/kustomization.yaml': kustomization('resources: [../a]\n'), 'web.yaml': manifest('web', 'shop') }, 'manifest web.yaml'],
  ['an item of a List', { 'all.yaml': `kind: List\napiVersion: v1\nitems:\n- ${manifest('web', 'shop').trimEnd().replaceAll('\n', '\n  ')}\n` }, 'manifest all.yaml'],
  ['a template', { 'web.yaml': 'kind: {{ .Kind }}\nmetadata: {{- toYaml . }}\n' }, /1 files are templates, which are not looked into$/],
  ['a file that a tool wrote', { 'web.yaml': `# Generated by a tool. DO NOT EDIT.\n${manifest('web', 'shop')}` }, /^no manifest/],
  ['an encrypted file', { 'web.yaml': `${manifest('web', 'shop')}sops: {mac: x}\n` }, /^no manifest/],
  ['a release, by its name', { 'r.yaml': release('  targetNamespace: shop\n') }, 'helm-release r.yaml', web(helm)],
  ['... that it says', { 'r.yaml': release('  targetNamespace: shop\n  releaseName: shop-web\n', 'x') }, 'helm-release r.yaml', web(helm)],
  ['... another one', { 'r.yaml': release('  targetNamespace: shop\n', 'x') }, /^release shop-web of Helm makes Deployment shop\/web, and no HelmRelease of it is here: set the chart's value/, web(helm)],
  ['... several', { 'r.yaml': release('  targetNamespace: shop\n'), 's.yaml': release('  targetNamespace: shop\n') }, /several HelmReleases could be it/, web(helm)],
]
const rows = places.map(([what, files, expected, live = web(), overlay]) => ({ what, files, expected, live, overlay }))
test.each(rows)('where a workload is written: $what', ({ files, expected, live, overlay }) => {
  if (typeof expected === 'string') expect(aim(files, live, overlay)).toBe(expected)
  else expect(aim(files, live, overlay)).toMatch(expected)
})

const affinity: Wish = { live: web(), path: ['spec', 'template', 'spec', 'affinity'], value: () => ({ nodeAffinity: {} }) }
const tolerations: Wish = {
  live: web(),
  path: ['spec', 'template', 'spec', 'tolerations'],
  value: before => (Array.isArray(before) && before.length > 0 ? before : [{ operator: 'Exists' }]),
}

describe('what is written', () => {
  const edited = (files: Readonly<Record<string, string>>, wishes: readonly Wish[] = [affinity], overlay?: string) => {
    const { changes, placed } = editManifests(folderOf(files), wishes, overlay)
    const now = { ...files, ...Object.fromEntries(changes.map(change => [change.path, change.after])) }
    // Whatever it was: made a second time it changes nothing.
    expect(editManifests(folderOf(now), wishes, overlay).changes).toEqual([])
    return { now, placed, paths: changes.map(({ path }) => path) }
  }

  test('two wishes of one manifest, one after the other', () => {
    const { now, paths } = edited({ 'web.yaml': manifest('web', 'shop') }, [affinity, tolerations])
    expect(paths).toEqual(['web.yaml'])
    expect(parse(now['web.yaml'] ?? '').spec.template.spec).toEqual({
      containers: [],
      affinity: { nodeAffinity: {} },
      tolerations: [{ operator: 'Exists' }],
    })
  })

  test('an overlay gets patches beside its kustomization', () => {
    const files = {
      'base/web.yaml': manifest('web'),
      'base/kustomization.yaml': kustomization('resources: [web.yaml]\n'),
      'prod/kustomization.yaml': `# ours\n${kustomization('namespace: shop\nresources:\n- ../base\n')}`,
      'test/kustomization.yaml': kustomization('namespace: test\nresources: [../base]\n'),
    }
    const { now, paths } = edited(files, [affinity, tolerations])
    expect(paths).toEqual([
      'prod/ballast-affinity-deployment-web.yaml',
      'prod/ballast-tolerations-deployment-web.yaml',
      'prod/kustomization.yaml',
    ])
    expect(now['prod/kustomization.yaml']).toMatch(/^# ours\n/)
    expect(parse(now['prod/kustomization.yaml'] ?? '').patches).toEqual(
      ['affinity', 'tolerations'].map(what => ({
        path: `ballast-${what}-deployment-web.yaml`,
        target: { kind: 'Deployment', name: 'web' },
      })),
    )
    expect(parse(now['prod/ballast-affinity-deployment-web.yaml'] ?? '')).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { template: { spec: { affinity: { nodeAffinity: {} } } } },
    })
  })

  test('a release gets a post-renderer for each; those of others stay', () => {
    const files = {
      'r.yaml': release('  targetNamespace: shop\n  postRenderers:\n  - kustomize: {images: [{name: web, newTag: "2"}]}\n'),
    }
    const wishes = [affinity, tolerations].map(wish => ({ ...wish, live: web(helm) }))
    const { now } = edited(files, wishes)
    const renderers = parse(now['r.yaml'] ?? '').spec.postRenderers
    expect(renderers).toHaveLength(3)
    expect(renderers[0]).toEqual({ kustomize: { images: [{ name: 'web', newTag: '2' }] } })
    expect(parse(renderers[1].kustomize.patches[0].patch).spec.template.spec.affinity).toEqual({ nodeAffinity: {} })
    // Another mind later replaces what was said before.
    const changed = editManifests(folderOf(now), [{ ...affinity, live: web(helm), value: () => ({ podAffinity: {} }) }])
    expect(parse(changed.changes[0]?.after ?? '').spec.postRenderers).toHaveLength(3)
  })

  test('what cannot be written comes as a patch with its reason', () => {
    const { placed, paths } = edited({ 'web.yaml': `${manifest('web', 'shop').replace('template:', 'template: &a')}other: *a\n` })
    expect(paths).toEqual([])
    expect(placed[0]?.because).toMatch(/^web\.yaml cannot be changed without changing something else/)
    expect(parse(placed[0]?.patch ?? '')).toMatchObject({
      metadata: { name: 'web', namespace: 'shop' },
      spec: { template: { spec: { affinity: {} } } },
    })
  })
})
