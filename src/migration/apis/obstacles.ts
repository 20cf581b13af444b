// What stands in the way of a swap of an API, whoever leads it.
import { gitopsOwner, shownOwner } from '#upstreams/gitops-owner.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { lossProof, type Now, nowOf, reconcilerOf, shown } from '../both.ts'
import type { Ours } from '../place.ts'
import type { Swap } from '../step.ts'
import { needsToInstall, ownService, refusedSettings, type ServedPart } from './own-api.ts'
import { ledTo, readRegistration } from './registration.ts'

/** Callers are led to neither of both, or somebody else than upstream's owner puts back who they are led to. */
export async function ledElsewhere(
  swap: Swap,
  part: ServedPart,
  { situation: { ours }, theirs, whole }: Now,
): Promise<string | undefined> {
  const registration = await readRegistration(swap, part.apiService)
  const place = ledTo(registration)
  if (registration === undefined || place === undefined || place === ownService(part, ours)) return undefined
  const services = whole.objects
    .filter(({ kind }) => kind === 'Service')
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
  if (!services.includes(place))
    return `${part.apiService} leads to ${place}, which is no Service of ${shown(theirs)} (${services.join(', ') || 'it has none'}): whoever answers there is not moved by this`
  const owner = gitopsOwner(registration)
  if (owner === undefined || owner.by === 'helm') return undefined
  const isTheirs = theirs.owner?.by === owner.by && theirs.owner.name === owner.name
  return isTheirs ? undefined : `APIService ${part.apiService} is reconciled by ${shownOwner(owner)}: suspend it first`
}

/** What upstream is told, as far as ours takes it. */
export async function converted(swap: Swap, part: ServedPart): Promise<Proof> {
  const now = await nowOf(swap)
  const { converted: found } = now.whole
  const proof = lossProof(found, swap)
  if (!proof.ok) return proof
  // What ours would refuse is refused here, before anything is written.
  const refused = refusedSettings(swap, found)
  if (refused !== undefined) return no(refused)
  needsToInstall(swap, part, now)
  const hint = swap.upstream.replaced.swap.hint?.(found.values)
  return hint === undefined ? proof : yes(`${proof.said}; ${hint}`)
}

/** On the way back: somebody would undo what is written to ours. */
export function putBackByOwner({ upstream }: Pick<Swap, 'upstream'>, ours: Ours): string | undefined {
  const owner = reconcilerOf(ours)
  if (owner === undefined) return undefined
  return `ours is reconciled by ${shownOwner(owner)}: what is written here would be undone; suspend it, and commit enabled: false in the section of ${upstream.capability} when upstream answers`
}
