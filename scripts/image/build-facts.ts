// What a packed program says of itself (`ballast version`): which commit it is, and as what it was packed. `src/cli/version/packing.ts` reads it.
import type { Commit } from './revision.ts'

/** Name and content of the file that lies beside the program. */
export function buildFacts(form: 'npm' | 'image' | 'executable', { revision }: Commit): readonly [name: string, content: Buffer] {
  return ['build.json', Buffer.from(`${JSON.stringify({ form, revision })}\n`)]
}
