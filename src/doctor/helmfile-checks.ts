// The order of a helmfile: what waits for what, and whether images come through the mirror from the start.
import { type Finding, finding } from './finding.ts'
import type { Helmfile, HelmfileRelease } from './helmfile.ts'

export function checkHelmfile(helmfile: Helmfile): readonly Finding[] {
  const edges = new Map(helmfile.releases.map(release => [release, needed(release, helmfile)]))
  return [
    ...helmfile.releases.flatMap(release => [...unknownNeeds(release, helmfile), ...missingValues(release, helmfile)]),
    ...cycle(edges, helmfile),
    ...mirrorLate(edges, helmfile),
  ]
}

function found(helmfile: Helmfile, release: HelmfileRelease, message: string, fix: string): Finding {
  const { file, line } = helmfile
  return finding('helmfile-order', { object: `release ${shownRelease(release)} (${file})`, file, line, message, fix })
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

/** What is installed before the mirror, or beside it, pulls its images past it. What the mirror itself needs has to. */
function mirrorLate(edges: Edges, helmfile: Helmfile): readonly Finding[] {
  const mirror = helmfile.releases.find(({ isMirror }) => isMirror)
  if (mirror === undefined) return []
  const earlier = before(mirror, edges)
  const late = helmfile.releases.filter(
    release => release !== mirror && !earlier.has(release) && !before(release, edges).has(mirror),
  )
  if (late.length === 0) return []
  const names = late.map(shownRelease)
  return [
    found(
      helmfile,
      mirror,
      `the image mirror is not before ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}: their images are pulled past it`,
      `needs: [${shownRelease(mirror)}] in them, or in what they need`,
    ),
  ]
}
