// What catalogues of others read: krew's manifest, and what Artifact Hub shows of a chart.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { changesOf, withHubAnnotations } from './artifact-hub.ts'
import { krewManifest } from './krew.ts'

const facts = { version: '1.2.3', revision: 'abc', seconds: 86_400 }

test('the manifest names each archive by its sum', () => {
  const archive = { name: 'a.tar.gz', kind: 'krew-archive', platform: 'linux/arm64', sha256: 'ab', bytes: 1 } as const
  const { spec, metadata } = parse(krewManifest(facts, 'https://example.com/ballast', [archive]))
  expect([metadata.name, spec.version]).toEqual(['ballast', 'v1.2.3'])
  expect(spec.platforms).toEqual([
    {
      selector: { matchLabels: { os: 'linux', arch: 'arm64' } },
      uri: 'https://example.com/ballast/releases/download/v1.2.3/a.tar.gz',
      sha256: 'ab',
      bin: 'ballast',
    },
  ])
  // krew's index takes no more.
  expect(spec.shortDescription.length).toBeLessThanOrEqual(50)
  expect(() => krewManifest(facts, '', [{ name: 'a', kind: 'krew-archive' }])).toThrow(/a: a plug-in's archive has a platform/)
})

const changelog = [
  '# Changelog\n\n## Unreleased\n',
  '- **New** ([docs/a.md](docs/a.md#b)): `x` is [there](c.md), as of 1.2. More.',
  '- Smaller.\n\n## 1.2.3\n',
  '- **Old**: was.\n',
].join('\n')

test('changes are those of the version, else what is unreleased, as plain text', () => {
  expect(changesOf(changelog, '2.0.0')).toEqual(['New: `x` is there, as of 1.2.', '1 more: see CHANGELOG.md'])
  expect(changesOf(changelog, '1.2.3')).toEqual(['Old: was.'])
  expect(() => changesOf('# Changelog\n', '1.2.3')).toThrow(/no entries of 1\.2\.3/)
})

test('the chart has changes, and whole objects of its own kinds', () => {
  const root = dirname(dirname(import.meta.dirname))
  const chart = readFileSync(join(root, 'deploy', 'chart', 'Chart.yaml'), 'utf8')
  const files = withHubAnnotations(new Map([['Chart.yaml', chart]]), root, '0.1.0')
  const { annotations } = parse(files.get('Chart.yaml') ?? '')
  expect(parse(annotations['artifacthub.io/changes']).length).toBeGreaterThan(10)
  const kinds = new Set(parse(annotations['artifacthub.io/crds']).map(({ kind }: { readonly kind: string }) => kind))
  const examples: readonly { readonly kind: string; readonly metadata: object }[] = parse(
    annotations['artifacthub.io/crdsExamples'],
  )
  expect(examples.map(({ kind }) => kind)).toContain('RebalancePolicy')
  for (const { kind, metadata } of examples)
    expect([kinds.has(kind), metadata]).toEqual([true, expect.objectContaining({ name: expect.any(String) })])
})
