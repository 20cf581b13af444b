// The section `capabilities.mirror` of the configuration: names and defaults of upstream's chart in camelCase, and what Ballast adds.
import * as z from 'zod'
import type { Parsed } from '#kube/problem.ts'
import { duration, quantity } from '#kube/schema/crd-fields.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { parseMirroredRegistry } from './registry-url.ts'

const mostListed = 256
const longestText = 4_096

const span = (standard: string, meaning: string) =>
  duration()
    .refine(text => (parseDurationMs(text).ok ? !text.startsWith('-') : false), 'not a duration of zero or more')
    .default(standard)
    .describe(meaning)

const absolutePath = (standard: string, meaning: string) =>
  z
    .string()
    .max(longestText)
    .refine(text => text === '' || (text.startsWith('/') && !text.split('/').includes('..')), 'not an absolute path')
    .default(standard)
    .describe(meaning)

const port = z.int().min(1).max(65_535)

/** Entries of `registries`: `https://ghcr.io`, `http://registry.test:5000`, `_default`. */
const registry = z
  .string()
  .max(longestText)
  .refine(text => parseMirroredRegistry(text).ok, { error: ({ input }) => expectedOf(parseMirroredRegistry(String(input))) })

const pattern = z
  .string()
  .max(longestText)
  .refine(text => parsePattern(text).ok, { error: ({ input }) => `not ${expectedOf(parsePattern(String(input)))}` })

const expectedOf = (parsed: Parsed<unknown>): string => (parsed.ok ? '' : parsed.problem.expected)

export const mirrorConfiguration = z.object({
  ports: z
    .array(port)
    .min(1)
    .max(8)
    .default([29_999, 30_020])
    .describe("ports on the node's address where containerd asks; the first is also where peers of upstream ask"),
  dataPlane: z
    .enum(['auto', 'builtin', 'nginx'])
    .default('auto')
    .describe(
      'what carries the bytes of bodies: `nginx`, this process itself (`builtin`), or `auto`: nginx where it is installed',
    ),
  routerPort: port.default(29_995).describe('libp2p between the nodes'),
  peerPort: port.default(29_996).describe('content between our agents and for the controller, mutual TLS'),
  metricsPort: port.default(29_997).describe('health and metrics'),
  registries: z.array(registry).max(mostListed).default([]).describe('only these registries are mirrored; empty: all'),
  filters: z
    .array(pattern)
    .max(mostListed)
    .default([])
    .describe('regular expressions over `registry/repository[:tag]` that are left out'),
  additionalTargets: z
    .array(z.string().max(longestText))
    .max(16)
    .default([])
    .describe('further mirrors that containerd is told of'),
  containerdSock: absolutePath('/run/containerd/containerd.sock', "containerd's socket"),
  containerdNamespace: z.string().min(1).max(76).default('k8s.io').describe("containerd's namespace"),
  containerdContentPath: absolutePath(
    '/var/lib/containerd/io.containerd.content.v1.content',
    'where content lies as files; empty: ask containerd',
  ),
  containerdRegistryConfigPath: absolutePath(
    '/etc/containerd/certs.d',
    "containerd's directory of hosts files; Talos: /etc/cri/conf.d/hosts",
  ),
  mirrorResolveRetries: z.int().min(1).max(64).default(3).describe('how many peers a look-up asks for'),
  mirrorResolveTimeout: span('20ms', 'how long to wait for a first peer while nothing is in flight'),
  basicAuthSecretName: z
    .string()
    .max(253)
    .default('')
    .describe('Secret with `username` and `password` that containerd has to say'),
  debugWebEnabled: z.boolean().default(false).describe('serve /debug/web/ on the metrics port, to whoever reaches it'),
  persistence: z
    .strictObject({
      enabled: z.boolean().default(true).describe("keep the node's libp2p identity"),
      path: absolutePath('/var/lib/ballast/mirror', 'in the container'),
      hostPath: absolutePath('/var/lib/ballast/mirror', 'on the node'),
    })
    .prefault({}),
  tags: z
    .enum(['always', 'never', 'fallback'])
    .default('always')
    .describe('answer tags from the cluster: always, never, or while their registry cannot be reached'),
  allowFrom: z
    .union([z.enum(['node', 'any']), z.array(z.string().max(64)).min(1).max(64)])
    .default('node')
    .describe("who may ask on containerd's ports: this node, anybody, or CIDRs"),
  peerTransport: z
    .enum(['auto', 'mtls', 'http'])
    .default('auto')
    .describe('how peers are asked: mutual TLS, plain HTTP, or the one with ours and the other with those of upstream'),
  relay: z
    .strictObject({
      enabled: z.boolean().default(true).describe('share downloads that are under way'),
      hold: span(
        '20s',
        "how long a request waits in all to learn whose download it follows, 25s at most: containerd's own limit is 30s",
      ),
      settle: span('50ms', 'how long nodes that have a blob are looked for before it is asked who loads it'),
    })
    .prefault({}),
  verifyBufferBytes: quantity()
    .default('4Mi')
    .describe('content of peers up to this size is checked whole before a byte is passed on'),
  quarantine: span('10m', 'how long a peer or a digest is left alone that did not match'),
  stallTimeout: span('10s', 'a peer that sends nothing for so long is given up'),
  headerTimeout: span('3s', 'time to the first header of any answer'),
  uploadLimit: quantity().default('0').describe('bytes a second served to peers in all; 0: no limit'),
  zone: z.enum(['prefer', 'ignore']).default('prefer').describe('ask peers of the same zone first'),
  nodeConfiguration: z
    .strictObject({
      mode: z
        .enum(['agent', 'operator', 'none'])
        .default('agent')
        .describe("who writes containerd's hosts files: the agent, the controller before the agent is there, nobody"),
      existing: z
        .enum(['prepend', 'replace'])
        .default('prepend')
        .describe('keep the hosts that are configured already, after ours'),
    })
    .prefault({}),
  bootstrapKind: z
    .enum(['file', 'kubernetes', 'dns', 'http', 'static'])
    .default('file')
    .describe('how agents find each other first'),
  readyWhenAlone: z.boolean().default(true).describe('an agent on the only node is ready'),
})

export type MirrorConfig = z.output<typeof mirrorConfiguration>
