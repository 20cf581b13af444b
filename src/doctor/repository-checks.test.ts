import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Finding } from './finding.ts'
import { readRepository } from './repository.ts'
import { examineRepository } from './repository-checks.ts'

const fixtures = fileURLToPath(new URL('../../test/fixtures/repositories/', import.meta.url))
/** Without the notes on upstreams and on files that nothing leads to, which have tests of their own. */
const examined = (folder: string) =>
  examineRepository(readRepository(folder)).filter(
    ({ id, message }) => id !== 'upstream-present' && !message.includes('no kustomization takes'),
  )
const brief = ({ id, file, message }: Finding) => `${id} ${file}: ${message}`

/** A copy of a fixture that a test may change. */
function copyOf(name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-repository-'))
  cpSync(join(fixtures, name), folder, { recursive: true })
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

test('the media homelab is in order: what kustomize moves to another namespace is found there (case 16)', () => {
  expect(examined(join(fixtures, 'media')).map(brief)).toEqual([
    'file-skipped bootstrap/secret.sops.yaml: is encrypted by SOPS: not looked into',
    'file-skipped bootstrap/values.yaml.gotmpl: is a template: not looked into',
  ])
})

test('without the outer kustomization the edge is missing, and the nearest is named (case 16)', () => {
  using copy = copyOf('media')
  rmSync(join(copy.folder, 'kubernetes/apps/kube-system/kustomization.yaml'))
  const found = examined(copy.folder).filter(({ id }) => id === 'flux-depends-missing')
  expect(found).toMatchObject([
    {
      severity: 'error',
      object: expect.stringContaining('Kustomization intel-device-plugin-gpu'),
      message: expect.stringMatching(
        /kube-system\/node-feature-discovery-features.*nearest is flux-system\/node-feature-discovery-features/,
      ),
      fix: 'dependsOn: [{name: node-feature-discovery-features, namespace: flux-system}]',
    },
  ])
})

test('the utilities homelab is in order', () => {
  expect(examined(join(fixtures, 'utilities')).map(brief)).toEqual([])
})

test('a second descheduler, anywhere in the tree, is an error; a suspended one is none', () => {
  using copy = copyOf('utilities')
  const text = readFileSync(join(copy.folder, 'descheduler/helmrelease.yaml'), 'utf8').replace(
    'name: descheduler\n  namespace: descheduler',
    'name: second\n  namespace: kube-system',
  )
  writeFileSync(join(copy.folder, 'second.yaml'), text)
  expect(examined(copy.folder).map(({ id, severity, object }) => [id, severity, object])).toEqual([
    ['double-duty', 'error', 'HelmRelease second (second.yaml:10)'],
  ])
  writeFileSync(join(copy.folder, 'second.yaml'), text.replace('  interval: 1h\n  chart', '  suspend: true\n  chart'))
  expect(examined(copy.folder)).toEqual([])
})

const ours = {
  flux: {
    apiVersion: 'helm.toolkit.fluxcd.io/v2',
    kind: 'HelmRelease',
    metadata: { name: 'ballast', namespace: 'reloader' },
    spec: {
      chart: { spec: { chart: './deploy/chart', sourceRef: { kind: 'HelmRepository', name: 'stakater' } } },
      values: { capabilities: { reload: { enabled: true } } },
    },
  },
  argo: {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'ballast', namespace: 'argocd' },
    spec: { source: { path: 'deploy/chart', helm: { valuesObject: { capabilities: { reload: { enabled: true } } } } } },
  },
}

test.each([
  ['Flux', ours.flux],
  ['Argo CD', ours.argo],
])('reload beside Reloader is found where our chart is taken from our repository, with %s', (_tool, object) => {
  using copy = copyOf('utilities')
  writeFileSync(join(copy.folder, 'ballast.yaml'), JSON.stringify(object))
  const duties = () => examined(copy.folder).filter(({ id }) => id === 'double-duty')
  expect(duties()).toMatchObject([{ fix: 'ballast migrate plan reloader' }])
  const file = join(copy.folder, 'reloader/helmrelease.yaml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace(/( +)reloader:\n/, '$1reloader:\n$1  deployment:\n$1    replicas: 0\n'))
  expect(duties()).toEqual([])
})

test('the same release in the folders of two clusters is no second one', () => {
  using copy = copyOf('utilities')
  for (const cluster of ['a', 'b'])
    cpSync(join(fixtures, 'utilities/reloader'), join(copy.folder, `clusters/${cluster}/reloader`), { recursive: true })
  rmSync(join(copy.folder, 'reloader'), { recursive: true })
  expect(examined(copy.folder).filter(({ id }) => id === 'double-duty')).toEqual([])
})

test('everything that is wrong in the broken repository is found once, with file and line', () => {
  const found = examined(join(fixtures, 'broken'))
  expect(found.map(({ id, object }) => `${id} ${object}`)).toEqual([
    'double-duty HelmRelease ballast (web.yaml:11)',
    'double-duty HelmRelease three (releases.yaml:15)',
    'double-duty HelmRelease two (releases.yaml:8)',
    'flux-both-chart-and-ref HelmRelease two (releases.yaml:8)',
    'flux-dangling-source HelmRelease one (releases.yaml:1)',
    'flux-depends-cycle Kustomization a (cycle.yaml:1)',
    'flux-depends-missing Kustomization b (cycle.yaml:6)',
    'flux-tag-range OCIRepository ranged (releases.yaml:29)',
    'file-unreadable bad.yaml:4',
    'flux-mirror-deprecated HelmRepository mirror (mirror.yaml:12)',
    'flux-mirror-deprecated OCIRepository features (mirror.yaml:1)',
    'flux-remote-base-unpinned kustomization.yaml',
    'helmfile-order release apps/heavy (helmfile.yaml)',
    'helmfile-order release kube-system/cilium (helmfile.yaml)',
    'helmfile-order release kube-system/spegel (helmfile.yaml)',
    'helmfile-order release one (helmfile.yaml)',
    'reload-annotation-unknown web.yaml:7',
    'reload-pattern-invalid web.yaml:8',
    'value-dropped HelmRelease apps/one',
    'value-dropped HelmRelease apps/one',
    'file-skipped encrypted.yaml',
    'file-skipped template.yaml',
    'flux-unused-repository HelmRepository unused (releases.yaml:25)',
  ])
  const about = (id: string) => found.filter(one => one.id === id).map(({ message, fix }) => [message, fix])
  expect(about('helmfile-order')).toEqual([
    ['needs nowhere, which is no release of this file', 'take nowhere out of its needs, or add it'],
    ['its values file cilium.yaml is not there', 'add cilium.yaml, or take it out'],
    [
      'the image mirror is not before apps/heavy: their images are pulled past it',
      'needs: [kube-system/spegel] in them, or in what they need',
    ],
    ['waits for itself: one, two need each other, and helmfile refuses all of them', 'take one of these needs away'],
  ])
  expect(about('flux-mirror-deprecated').map(([, fix]) => fix)).toEqual([
    "take it from upstream's own source",
    'spec.url: oci://registry.k8s.io/nfd/charts/node-feature-discovery',
  ])
  const typo = found.find(({ id }) => id === 'reload-annotation-unknown')
  expect(typo).toMatchObject({
    message: expect.stringContaining('did you mean reloader.stakater.com/auto?'),
    line: 7,
    file: 'web.yaml',
  })
  for (const one of found) {
    expect(one.fix, one.id).not.toBe('')
    expect(one.docs, one.id).toBe(`docs/doctor.md#${one.id}`)
  }
})

test.each([
  ['https://github.com/example/base//deploy?ref=main', 'https://github.com/example/base//deploy?ref=<tag>'],
  [
    'https://raw.githubusercontent.com/example/base/stable/all.yaml',
    'https://raw.githubusercontent.com/example/base/<tag>/all.yaml',
  ],
  ['https://raw.githubusercontent.com/a/b/refs/heads/main/all.yaml', 'https://raw.githubusercontent.com/a/b/<tag>/all.yaml'],
  ['https://example.com/latest/all.yaml', 'an address of https://example.com/latest/all.yaml that has a version in it'],
])('the fix of a remote base %s: %s', (url, fix) => {
  using copy = copyOf('utilities')
  writeFileSync(join(copy.folder, 'kustomization.yaml'), `resources:\n  - ${JSON.stringify(url)}\n`)
  expect(examined(copy.folder).map(one => one.fix)).toEqual([fix])
})

test.each([
  ['https://github.com/example/base//deploy', false],
  ['https://github.com/example/base//deploy?ref=main', false],
  ['https://github.com/example/base//deploy?timeout=90s&ref=master', false],
  ['https://github.com/example/base//deploy?ref=v0.36.0', true],
  ['github.com/example/base?ref=1f3c', true],
  ['https://github.com/example/base/releases/download/v1.2.3/all.yaml', true],
  ['https://example.com/v1.2.3/all.yaml', true],
  ['https://example.com/latest/all.yaml', false],
])('a remote base %s: pinned %s', (url, isPinned) => {
  using copy = copyOf('utilities')
  for (const key of ['resources', 'components']) {
    writeFileSync(join(copy.folder, 'kustomization.yaml'), `${key}:\n  - ${JSON.stringify(url)}\n`)
    expect(examined(copy.folder).map(({ id }) => id)).toEqual(isPinned ? [] : ['flux-remote-base-unpinned'])
  }
})

test('links are not followed, and files are not touched', () => {
  using copy = copyOf('utilities')
  symlinkSync(join(fixtures, 'broken'), join(copy.folder, 'elsewhere'))
  symlinkSync(join(fixtures, 'broken/bad.yaml'), join(copy.folder, 'link.yaml'))
  expect(examined(copy.folder)).toEqual([])
})

test('aliases that multiply, deep nesting and tabs are told, and the rest goes on', () => {
  using copy = copyOf('utilities')
  writeFileSync(
    join(copy.folder, 'bomb.yaml'),
    'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c]\n',
  )
  writeFileSync(join(copy.folder, 'deep.yaml'), `a: ${'['.repeat(1_000)}${']'.repeat(1_000)}\n`)
  writeFileSync(join(copy.folder, 'tabs.yaml'), 'a:\n\tb: 1\n')
  const found = examined(copy.folder)
  expect(found.map(({ id, file }) => `${id} ${file}`)).toEqual(
    expect.arrayContaining(['file-unreadable bomb.yaml', 'file-unreadable tabs.yaml']),
  )
  expect(found.every(({ id }) => id === 'file-unreadable')).toBe(true)
})
