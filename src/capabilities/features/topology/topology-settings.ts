// How a topology updater is set: in the section `capabilities.features.topology`, and by upstream's flags and configuration file.

import { parseDocument } from 'yaml'
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { duration } from '#kube/schema/crd-fields.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'

const mostExcluded = 1_000

/** Where a pod has the token of its account. */
const accountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

const excludeList = z.record(z.string(), z.array(z.string()).max(mostExcluded))

/** The keys of the section, with their defaults. */
export const topologySchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('a container on each node that publishes its NodeResourceTopology; it runs as root'),
  sleepInterval: duration()
    .default('60s')
    .describe('between two looks where nothing changes; 0s: a look only when something changes'),
  noPublish: z.boolean().default(false).describe('looks, and publishes nothing'),
  watchNamespace: z.string().default('*').describe('pods of this namespace count; `*`: of all'),
  podsFingerprint: z.boolean().default(true).describe('the fingerprint of the pods is told'),
  kubeletConfigUri: z
    .string()
    .refine(
      text => text === '' || isUri(text),
      'not an address such as "https://10.0.0.1:10250/configz" or "file:///etc/kubelet.yaml"',
    )
    .default('')
    .describe('where the configuration of the kubelet is, https or file; empty: the kubelet of the node is asked'),
  apiAuthTokenFile: z.string().default(accountToken).describe('the token that a kubelet is shown'),
  podResourcesSocket: z
    .string()
    .default('')
    .describe('the socket of the kubelet; empty: /var/lib/kubelet/pod-resources/kubelet.sock of the host'),
  kubeletStateDir: z
    .string()
    .default('')
    .describe(
      'a directory with the state of the kubelet, whose files are looked after; empty: none. What pods do is seen without it',
    ),
  excludeList: excludeList.default({}).describe('by the name of a node, or `*`: resources that are left out'),
})

export type TopologySettings = z.output<typeof topologySchema>

function isUri(text: string): boolean {
  const { protocol } = URL.parse(text) ?? {}
  return protocol === 'https:' || protocol === 'file:'
}

/** The resources that are left out on a node. */
export function excludedOn(node: string, { excludeList: lists }: TopologySettings): ReadonlySet<string> {
  return new Set(['*', node].flatMap(name => (Object.hasOwn(lists, name) ? (lists[name] ?? []) : [])))
}

const fileSchema = z.looseObject({ excludeList: excludeList.nullish() })

/**
 * The list of a configuration file of upstream. Its other keys have no effect, which `tell` hears.
 *
 * @throws InputError with every problem
 */
export function readExcludeList(text: string, path: string, tell: (warning: string) => void): TopologySettings['excludeList'] {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  const expected = 'YAML with the key excludeList, and "*" in quotes'
  let content: unknown
  try {
    if (document.errors[0] !== undefined) throw document.errors[0]
    content = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new InputError([{ code: 'configuration-yaml', where: path, found: messageOf(error), expected }])
  }
  const read = checkAgainst(fileSchema, content ?? {}, path)
  if (!read.ok) throw new InputError(read.problems)
  const { excludeList: list, ...others } = read.value
  for (const key of Object.keys(others)) tell(`${path}: ${key} is no key of the configuration, and has no effect`)
  return list ?? {}
}
