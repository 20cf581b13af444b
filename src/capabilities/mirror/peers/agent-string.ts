// What a node says of itself in libp2p's identify: who it is, and its zone, so that neither costs another round trip.
const ours = 'ballast/'
const longestAgent = 256
const zoneForm = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
const agentForm = /^ballast\/\S+ \(zone=([^()\s]+)\)$/

/** `ballast/0.1.0 (zone=a)`; without the zone where it is empty or no value of a label. */
export function agentString(version: string, zone: string): string {
  return zoneForm.test(zone) ? `${ours}${version} (zone=${zone})` : `${ours}${version}`
}

export interface ReadAgent {
  /** Cut at 256 characters. */
  readonly agent: string
  readonly isOurs: boolean
  readonly zone: string | undefined
}

/** What another's agent string says. It is not proven: who lies here only loses or gains preference. */
export function readAgent(text: string): ReadAgent {
  const agent = text.slice(0, longestAgent)
  const zone = agentForm.exec(agent)?.[1]
  return {
    agent,
    isOurs: agent.startsWith(ours),
    zone: zone !== undefined && zoneForm.test(zone) ? zone : undefined,
  }
}
