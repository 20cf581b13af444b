// Where a release is pushed to: `oci://ghcr.io/ballast-dev` has the image at ballast-dev/ballast and the chart at ballast-dev/charts/ballast.

export interface Target {
  /** Host and port as people write them: `ghcr.io`, `localhost:5000`. */
  readonly registry: string
  /** Where it answers. */
  readonly origin: string
  /** Without the registry: `ballast-dev/ballast`. */
  readonly image: string
  readonly chart: string
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/

/** Reads `oci://HOST[:PORT][/PATH]`. @throws Error saying what is wrong with it */
export function targetOf(text: string, isPlain: boolean): Target {
  const expected = 'expected oci://HOST[:PORT][/PATH], as oci://ghcr.io/ballast-dev'
  const rest = /^oci:\/\/(.+)$/.exec(text)?.[1]
  if (rest === undefined) throw new Error(`--to ${text}: ${expected}`)
  const [registry = '', ...path] = rest.replace(/\/$/, '').split('/')
  if (!/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(registry))
    throw new Error(`--to ${text}: ${JSON.stringify(registry)} is no host; ${expected}`)
  const wrong = path.find(part => !component.test(part))
  if (wrong !== undefined)
    throw new Error(
      `--to ${text}: ${JSON.stringify(wrong)} is no part of a repository's name: small letters and digits, with . _ or - between them`,
    )
  const below = path.map(part => `${part}/`).join('')
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
  return {
    registry,
    origin: `${isPlain ? 'http' : 'https'}://${host}`,
    image: `${below}ballast`,
    chart: `${below}charts/ballast`,
  }
}
