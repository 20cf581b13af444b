// In how many files outside of its folder a capability is known: by an import of its folder, or by its name, a kind, an annotation or a
// drop-in name as a text. A further capability is cheap only while these counts are small.
import type { SourceFile } from './source-tree.ts'
import type { Finding } from './structure.ts'

interface Known {
  readonly name: string
  /** What names it as a whole text: kinds, drop-in commands, beside its own name. */
  readonly words: readonly string[]
  /** What names it as the beginning of a text: prefixes of annotations. */
  readonly prefixes: readonly string[]
  /** As it was recorded: whoever lowers the count lowers this with it, down to `goal`. */
  readonly ceiling: number
}

/** No more than this, where nothing else is recorded. */
const goal = 8

const knownCapabilities: readonly Known[] = [
  {
    name: 'deschedule',
    words: ['descheduler', 'DeschedulerPolicy', 'RebalancePlan'],
    prefixes: ['descheduler.alpha.kubernetes.io/'],
    ceiling: 8,
  },
  { name: 'isolate', words: ['Isolation'], prefixes: [], ceiling: goal },
  { name: 'mirror', words: ['spegel'], prefixes: ['ballast.dev/mirror-'], ceiling: goal },
  {
    name: 'readiness',
    words: ['readiness-condition-reporter', 'NodeReadinessRule'],
    prefixes: ['readiness.k8s.io/'],
    ceiling: 8,
  },
  { name: 'reload', words: ['reloader'], prefixes: ['reloader.stakater.com/', 'ballast.dev/reload-'], ceiling: goal },
]

/** The files that know `capability`, tests and generated ones aside. */
function placesOf({ name, words, prefixes }: Known, files: readonly SourceFile[]): readonly string[] {
  const folder = `src/capabilities/${name}/`
  const texts = new Set([name, ...words])
  return files
    .filter(({ path }) => !path.startsWith(folder) && !/\.test(-d)?\.tsx?$|\/(generated|testdata)\/|^scripts\/check\//.test(path))
    .filter(
      ({ imports, literals }) =>
        imports.some(({ specifier }) => specifier === `#capabilities/${name}`) ||
        literals.some(({ text }) => texts.has(text) || prefixes.some(prefix => text.startsWith(prefix))),
    )
    .map(({ path }) => path)
}

/** A line for each capability, and a finding where one is known in more files than it was. */
export function placeCounts(
  files: readonly SourceFile[],
  known: readonly Known[] = knownCapabilities,
): { readonly lines: readonly string[]; readonly findings: readonly Finding[] } {
  const counted = known.map(one => ({ ...one, count: placesOf(one, files).length }))
  return {
    lines: counted.map(
      ({ name, count, ceiling }) => `${name}: known in ${count} files outside of its folder (at most ${ceiling}, goal ${goal})`,
    ),
    findings: counted
      .filter(({ count, ceiling }) => count > ceiling)
      .map(({ name, count, ceiling }) => ({
        path: `src/capabilities/${name}/capability.ts`,
        line: 1,
        message: `is known in ${count} files outside of its folder, more than ${ceiling}: have it say so itself`,
      })),
  }
}
