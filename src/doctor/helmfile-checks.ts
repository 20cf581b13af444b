// The order of a helmfile: what waits for what, and whether what is to come first does.
import { capabilityFindings, type FirstRelease } from './capability-findings.ts'
import { type Finding, finding } from './finding.ts'
import type { Helmfile, HelmfileRelease } from './helmfile.ts'

export function checkHelmfile(helmfile: Helmfile): readonly Finding[] {
  const edges = new Map(helmfile.releases.map(release => [release, needed(release, helmfile)]))
  return [
    ...helmfile.releases.flatMap(release => [...unknownNeeds(release, helmfile), ...missingValues(release, helmfile)]),
    ...cycle(edges, helmfile),
    ...[...capabilityFindings.values()].flatMap(({ first }) => (first === undefined ? [] : unawaited(first, edges, helmfile))),
  ]
}

function found(helmfile: Helmfile, release: HelmfileRelease, message: string, fix: string): Finding {
  const { file } = helmfile
  return finding('helmfile-order', {
    object: `release ${shownRelease(release)} (${file})`,
    file,
    line: release.line,
    message,
    fix,
  })
}

const shownRelease = ({ namespace, name }: HelmfileRelease) => (namespace === undefined ? name : `${namespace}/${name}`)

/** Does a need mean this release? A need without a namespace means one without, or the only one of its name. */
function isMeant(need: string, { name, namespace }: HelmfileRelease): boolean {
  const [wanted, place] = need.split('/').reverse()
  return wanted === name && (place === undefined || namespace === undefined || place === namespace)
}

function needed({ needs }: HelmfileRelease, { releases }: Helmfile): readonly HelmfileRelease[] {
  return needs.flatMap(need => releases.find(release => isMeant(need, release)) ?? [])
}

function unknownNeeds(release: HelmfileRelease, helmfile: Helmfile): readonly Finding[] {
  return release.needs
    .filter(need => !need.includes('{{') && !helmfile.releases.some(one => isMeant(need, one)))
    .map(need =>
      found(helmfile, release, `needs ${need}, which is no release of this file`, `take ${need} out of its needs, or add it`),
    )
}

function missingValues(release: HelmfileRelease, helmfile: Helmfile): readonly Finding[] {
  return release.missing.map(path =>
    found(helmfile, release, `its values file ${path} is not there`, `add ${path}, or take it out`),
  )
}

type Edges = ReadonlyMap<HelmfileRelease, readonly HelmfileRelease[]>

/** Everything that has to be there before `release`, itself left out unless it waits for itself. */
function before(release: HelmfileRelease, edges: Edges): ReadonlySet<HelmfileRelease> {
  const seen = new Set<HelmfileRelease>()
  const walk = (one: HelmfileRelease) => {
    for (const next of edges.get(one) ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      walk(next)
    }
  }
  walk(release)
  return seen
}

function cycle(edges: Edges, helmfile: Helmfile): readonly Finding[] {
  const waiting = [...edges.keys()].filter(release => before(release, edges).has(release))
  const [first] = waiting
  if (first === undefined) return []
  return [
    found(
      helmfile,
      first,
      `waits for itself: ${waiting.map(shownRelease).join(', ')} need each other, and helmfile refuses all of them`,
      'take one of these needs away',
    ),
  ]
}

/** What is installed before the first, or beside it. What the first itself needs has to. */
function unawaited({ isIt, told }: FirstRelease, edges: Edges, helmfile: Helmfile): readonly Finding[] {
  const first = helmfile.releases.find(isIt)
  if (first === undefined) return []
  const earlier = before(first, edges)
  const late = helmfile.releases.filter(
    release => release !== first && !earlier.has(release) && !before(release, edges).has(first),
  )
  if (late.length === 0) return []
  const names = late.map(shownRelease)
  return [
    found(
      helmfile,
      first,
      told(`${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`),
      `needs: [${shownRelease(first)}] in them, or in what they need`,
    ),
  ]
}
