// `docs/upstreams.md`: which programs Ballast knows, whose place it takes, and how a swap of each goes; written from their values.
import { swapWords } from '../src/upstreams/swap-words.ts'
import type { Replaced, Upstream } from '../src/upstreams/upstream.ts'
import { replaceable, upstreams } from '../src/upstreams/upstreams.ts'

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

const code = (texts: readonly string[]): string => (texts.length === 0 ? '–' : texts.map(text => `\`${text}\``).join(', '))

function replacedRow({ name, capability, replaced }: Upstream & { readonly replaced: Replaced }): readonly string[] {
  const { id, versions, swap } = replaced
  return [
    name,
    `\`${capability}\``,
    `${versions[0]} to ${versions.at(-1)}`,
    swapWords[swap.part.kind],
    `\`ballast migrate plan ${id}\``,
  ]
}

const knownRow = ({ name, capability, images, leases, groups }: Upstream): readonly string[] => [
  name,
  `\`${capability}\``,
  code(images),
  code(leases),
  code(groups),
]

/** Path below the project's root → text. */
export function upstreamTable(): ReadonlyMap<string, string> {
  const text = [
    '# Upstreams',
    'You run one of these programs and want Ballast to do its job. `ballast doctor` finds it, `plan` prints the steps for your cluster and writes nothing,\n`apply` carries them out, each proved before the next, and `--back` returns:',
    '```sh\nballast doctor upstreams\nballast migrate plan reloader\nballast migrate apply reloader --all\nballast migrate apply reloader --back --all\n```',
    '## Programs whose place Ballast takes',
    table(['program', 'capability', 'charts', 'how the swap goes', 'begin with'], replaceable().map(replacedRow)),
    '## What each is recognised by',
    "Any two of image, workload's name, label `app.kubernetes.io/name` and chart. Those that are in the second table only are left alone.",
    table(['program', 'capability', 'images', 'Leases', 'API groups'], upstreams.map(knownRow)),
    'This page is generated from the values of the capabilities by `npm run generate`.',
  ].join('\n\n')
  return new Map([['docs/upstreams.md', `${text}\n`]])
}
