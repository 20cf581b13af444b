// In how many files outside of its folder a capability is known: by an import of its folder, or by its name, its section of the configuration, a kind, an
// annotation or a drop-in name as a text. A further capability is cheap only while these counts are small.
import type { Capability } from '../../src/coordination/capability.ts'
import type { SourceFile } from './source-tree.ts'
import type { Finding } from './structure.ts'

interface Known {
  readonly name: string
  /** What names it as a whole text: kinds, drop-in commands, beside its own name. */
  readonly words: readonly string[]
  /** What names it as the beginning of a text: prefixes of annotations. */
  readonly prefixes: readonly string[]
  /** Its own name is a word of everybody's: ports, paths and parts of others are called so, too. */
  readonly isCommonWord: boolean
  /** More is a finding. */
  readonly ceiling: number
}

/** No more than this. */
const goal = 8

/** Words that a value does not have as its own: kinds that several share, prefixes of annotations. */
const further: Readonly<Record<string, Partial<Pick<Known, 'words' | 'prefixes' | 'isCommonWord'>>>> = {
  deschedule: { words: ['DeschedulerPolicy', 'RebalancePlan'], prefixes: ['descheduler.alpha.kubernetes.io/'] },
  // A field of claims and slices is called so.
  devices: { isCommonWord: true },
  // A process is called so too.
  gateway: { words: ['InterceptorRoute', 'HTTPScaledObject'], isCommonWord: true },
  isolate: { words: ['Isolation'] },
  metrics: { isCommonWord: true },
  mirror: { prefixes: ['ballast.dev/mirror-'] },
  readiness: { words: ['NodeReadinessRule'], prefixes: ['readiness.k8s.io/'] },
  reload: { prefixes: ['reloader.stakater.com/', 'ballast.dev/reload-'] },
}

/** Programs of upstreams that are called by a word of everybody's: owners of scale and plans speak of scalers. */
const commonPrograms: readonly string[] = ['scaler']

/** What names each capability: its own name, programs and upstreams whose place it takes, and what is written here besides. */
export async function namesOf(capabilities: readonly Capability[]): Promise<readonly Known[]> {
  return await Promise.all(
    capabilities.map(async ({ name, commands = [], upstreams }) => {
      const programs = commands.flatMap(({ inPlaceOf }) => inPlaceOf?.programs ?? []).filter(one => !commonPrograms.includes(one))
      const replaced = ((await upstreams?.()) ?? []).flatMap(upstream =>
        upstream.replaced === undefined ? [] : [upstream.replaced.id],
      )
      const { words = [], prefixes = [], isCommonWord = false } = further[name] ?? {}
      return { name, words: [...new Set([...programs, ...replaced, ...words])], prefixes, isCommonWord, ceiling: goal }
    }),
  )
}

/** The files that know `capability`, tests, generated ones and the table of other people's charts aside. */
function placesOf({ name, words, prefixes, isCommonWord }: Known, files: readonly SourceFile[]): readonly string[] {
  const folder = `src/capabilities/${name}/`
  const texts = new Set(isCommonWord ? words : [name, ...words])
  const section = new RegExp(`\\bcapabilities\\.${name}\\b`)
  return files
    .filter(
      ({ path }) =>
        !path.startsWith(folder) &&
        !/\.test(-d)?\.tsx?$|\/(generated|testdata)\/|^scripts\/check\/|\/chart-sources\.ts$/.test(path),
    )
    .filter(
      ({ imports, literals }) =>
        imports.some(({ specifier }) => specifier === `#capabilities/${name}`) ||
        literals.some(({ text }) => texts.has(text) || section.test(text) || prefixes.some(prefix => text.startsWith(prefix))),
    )
    .map(({ path }) => path)
}

/** A line for each capability, and a finding where one is known in more files than it was. */
export function placeCounts(
  files: readonly SourceFile[],
  known: readonly Known[],
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
