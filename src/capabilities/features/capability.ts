// Features of nodes: the rules of node-feature-discovery. So far they are tried; nothing of it runs in a cluster.
import { z } from 'zod'
import { capability } from '#coordination/capability.ts'

export const features = capability({
  name: 'features',
  document: 'node-features.md',
  config: z.object({}),
  kinds: [],
  replaces: [],
  disrupts: [],
  parts: [],
  leaves: [],
  commands: [
    {
      name: 'features',
      usage: '[options] [rule|node]',
      about: 'says what rules of node-feature-discovery make of each node, by which rule and why not; it writes nothing',
      load: async () => (await import('./commands/features.ts')).defineFeatures,
    },
  ],
})
