// The scenarios of claims on the real control plane, held to what was recorded with upstream's sidecars and driver: by upstream's and by ours, in each pairing.

import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { attributesScenarios } from '../../nfs-attributes-scenarios.ts'
import { comparedOutcome, leftOut, type OurDriver } from '../../nfs-claim-differences.ts'
import { claimScenarios } from '../../nfs-claim-scenarios.ts'
import type { ClaimOutcome, ClaimScenario } from '../../nfs-claims.ts'
import { playClaims } from './claim-outcomes.ts'
import { type ClaimsPlane, startClaimsPlane, startClaimsSite } from './claims-site.ts'
import { installController } from './our-controller.ts'
import { changingDriver, ourDriver } from './our-driver.ts'
import { ourSidecars, type SidecarCommands, startSidecars, upstreamSidecars, withClasses } from './sidecars.ts'

interface Recorded {
  readonly file: string
  readonly scenarios: readonly ClaimScenario[]
}

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs')
const claims: Recorded = { file: join(fixtures, 'claims.json'), scenarios: claimScenarios }
const attributes: Recorded = { file: join(fixtures, 'attributes.json'), scenarios: attributesScenarios }

/** A site where everything acts. What is started is ended by the stack. */
type Start = (stack: AsyncDisposableStack) => Promise<ClaimsPlane>

/** Several programs race for some objects: what came out otherwise beside the others is played once more, with a site of its own. */
async function compared(start: Start, by: OurDriver | undefined, of: Recorded = claims): Promise<string> {
  const { outcomes: recorded }: { readonly outcomes: readonly ClaimOutcome[] } = JSON.parse(readFileSync(of.file, 'utf8'))
  const before = new Map(recorded.map(one => [one.name, comparedOutcome(one, by)]))
  const left = new Set(leftOut.filter(one => by !== undefined && one.by.includes(by)).flatMap(one => one.scenarios))
  const wanted = of.scenarios.filter(({ name }) => !left.has(name))
  const differing = async (scenarios: readonly ClaimScenario[]) => {
    await using stack = new AsyncDisposableStack()
    const outcomes = await playClaims(await start(stack), scenarios)
    return outcomes.filter(one => !isDeepStrictEqual(comparedOutcome(one, by), before.get(one.name)))
  }
  const raced = new Set((await differing(wanted)).map(({ name }) => name))
  const again = raced.size === 0 ? [] : await differing(wanted.filter(({ name }) => raced.has(name)))
  const [first] = again
  if (first !== undefined)
    deepStrictEqual(
      comparedOutcome(first, by),
      before.get(first.name),
      `scenarios that differ: ${again.map(({ name }) => name).join(', ')}`,
    )
  const once = raced.size === 0 ? '' : `, at the second time: ${[...raced].join(', ')}`
  return `${wanted.length} scenarios came to what was recorded${once}`
}

const withSidecars =
  (sidecars: () => Promise<SidecarCommands>, driver?: typeof ourDriver): Start =>
  async stack => {
    const site = stack.use(await startClaimsSite(driver))
    stack.use(await startSidecars(site, await sidecars()))
    return site
  }

export const recordedClaims = () => compared(withSidecars(upstreamSidecars), undefined)
export const claimsOfOurDriver = () => compared(withSidecars(upstreamSidecars, ourDriver), 'nfsplugin')
export const claimsOfOurJobs = () =>
  compared(
    withSidecars(async () => ourSidecars),
    undefined,
  )

/** Driver and jobs in one process, as it is installed. */
const ourController =
  (more: Readonly<Record<string, unknown>> = {}): Start =>
  async stack => {
    const site = stack.use(await startClaimsPlane())
    const settings = { timeout: '5s', retryIntervalMax: '2s', snapshots: { controller: true }, ...more }
    const installed = await installController(site, settings, stack)
    stack.use(await installed.start('controller-1'))
    return site
  }

export const claimsOfOurController = () => compared(ourController(), 'nfs-controller')

/** Upstream's sidecars, or ours in their place, beside our driver that changes volumes. */
const withAttributes =
  (sidecars: () => Promise<SidecarCommands>): Start =>
  async stack => {
    const site = stack.use(await startClaimsSite(changingDriver))
    stack.use(await startSidecars(site, await sidecars(), { flagsOf: withClasses }))
    return site
  }

export const recordedAttributes = () => compared(withAttributes(upstreamSidecars), undefined, attributes)
export const attributesOfOurJobs = () =>
  compared(
    withAttributes(async () => ourSidecars),
    undefined,
    attributes,
  )
export const attributesOfOurController = () => compared(ourController({ modifyVolumes: true }), undefined, attributes)
