// What Artifact Hub shows of a chart beside what the chart's own generator knows: what changed, and objects as they may be written.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments, parseDocument, stringify } from 'yaml'

interface KindRow {
  readonly kind: string
  readonly name: string
}

/** The chart's files with an annotation each for changes and for examples of kinds. @throws Error where CHANGELOG.md has nothing of this version */
export function withHubAnnotations(
  files: ReadonlyMap<string, string>,
  root: string,
  version: string,
): ReadonlyMap<string, string> {
  const chart = parseDocument(files.get('Chart.yaml') ?? '')
  const kinds: readonly KindRow[] = parse(String(chart.getIn(['annotations', 'artifacthub.io/crds'])))
  const changes = changesOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version)
  const whole = { lineWidth: 0 }
  chart.setIn(['annotations', 'artifacthub.io/changes'], stringify(changes, whole))
  chart.setIn(['annotations', 'artifacthub.io/crdsExamples'], stringify(examplesOf(root, kinds), whole))
  return new Map([...files, ['Chart.yaml', chart.toString(whole)]])
}

/** What is new in a version: entries that have a title, their first sentences as plain text. A version without a section is what stands unreleased. */
export function changesOf(changelog: string, version: string): readonly string[] {
  const sections = new Map(
    changelog
      .split(/^## /m)
      .slice(1)
      .map(section => [/^\S+/.exec(section)?.[0].replace(/^v/, '') ?? '', section] as const),
  )
  const entries = (sections.get(version) ?? sections.get('Unreleased') ?? '').split(/^- /m).slice(1)
  if (entries.length === 0) throw new Error(`CHANGELOG.md has no entries of ${version}, and none below "Unreleased"`)
  const titled = entries.filter(entry => entry.startsWith('**')).map(firstSentence)
  const others = entries.length - titled.length
  return others === 0 ? titled : [...titled, `${others} more: see CHANGELOG.md`]
}

function firstSentence(entry: string): string {
  const plain = entry
    .replaceAll(/ \(\[[^\]]*\]\([^)]*\)\)/g, '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return /^.*?[^.]\.(?= [A-Z`]|$)/.exec(plain)?.[0] ?? plain
}

/** An object of each kind that the documents or the examples have one of, whole as it stands there. */
function examplesOf(root: string, kinds: readonly KindRow[]): readonly unknown[] {
  const texts = [
    ...globSync('docs/*.md', { cwd: root })
      .toSorted()
      .flatMap(path =>
        [...readFileSync(join(root, path), 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text),
      ),
    ...globSync('examples/*/config/*.yaml', { cwd: root })
      .toSorted()
      .map(path => readFileSync(join(root, path), 'utf8')),
  ]
  // Few texts have one of the kinds, and parsing takes seconds.
  const names = new Set(kinds.map(({ kind }) => kind))
  const objects = texts
    .filter(text => [...text.matchAll(/^kind: (\w+)/gm)].some(([, kind = '']) => names.has(kind)))
    .flatMap(text => [...parseAllDocuments(text)])
    .filter(({ errors }) => errors.length === 0)
    .map((document): { readonly apiVersion?: unknown; readonly kind?: unknown } | null => document.toJSON())
  return kinds.flatMap(({ kind, name }) => {
    const group = name.slice(name.indexOf('.') + 1)
    const found = objects.find(object => object?.kind === kind && String(object.apiVersion).startsWith(`${group}/`))
    return found === undefined ? [] : [found]
  })
}
