import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accessModes } from '../../csi/messages.ts'
import { type Attachment, decideAttach, isForOneNode } from './attach-decision.ts'

const one = (node: string, mode: keyof typeof accessModes, isReadonly = false): Attachment => ({
  node,
  mode: accessModes[mode],
  isReadonly,
})

describe('a volume that a node is to have', () => {
  // biome-ignore format: a table
  test.each<[name: string, wish: Attachment, held: readonly Attachment[], kind: string]>([
    ['nobody has it',                              one('a', 'SINGLE_NODE_WRITER'),             [],                                                  'attach'],
    ['it has it so',                               one('a', 'SINGLE_NODE_WRITER'),             [one('a', 'SINGLE_NODE_WRITER')],                    'attached'],
    ['it has it, and is to have it read-only',     one('a', 'SINGLE_NODE_WRITER', true),       [one('a', 'SINGLE_NODE_WRITER')],                    'otherwise'],
    ['it has it in another mode',                  one('a', 'SINGLE_NODE_SINGLE_WRITER'),      [one('a', 'SINGLE_NODE_WRITER')],                    'otherwise'],
    ['another has it, and one may',                one('a', 'SINGLE_NODE_WRITER'),             [one('b', 'SINGLE_NODE_WRITER')],                    'elsewhere'],
    ['another has it as the one that reads',       one('a', 'MULTI_NODE_MULTI_WRITER'),        [one('b', 'SINGLE_NODE_READER_ONLY')],               'elsewhere'],
    ['others have it, and it wants it alone',      one('a', 'SINGLE_NODE_MULTI_WRITER'),       [one('b', 'MULTI_NODE_MULTI_WRITER')],               'elsewhere'],
    ['all may have it',                            one('a', 'MULTI_NODE_MULTI_WRITER'),        [one('b', 'MULTI_NODE_MULTI_WRITER')],               'attach'],
    ['all may read it',                            one('a', 'MULTI_NODE_READER_ONLY'),         [one('b', 'MULTI_NODE_MULTI_WRITER')],               'attach'],
    ['one may write, and another does',            one('a', 'MULTI_NODE_SINGLE_WRITER'),       [one('b', 'MULTI_NODE_SINGLE_WRITER')],              'elsewhere'],
    ['one may write, and this one reads',          one('a', 'MULTI_NODE_SINGLE_WRITER', true), [one('b', 'MULTI_NODE_SINGLE_WRITER')],              'attach'],
    ['one may write, and the other only reads',    one('a', 'MULTI_NODE_SINGLE_WRITER'),       [one('b', 'MULTI_NODE_READER_ONLY')],                'attach'],
    ['it has it, and so has another by a mistake', one('a', 'SINGLE_NODE_WRITER'),             [one('a', 'SINGLE_NODE_WRITER'), one('b', 'MULTI_NODE_MULTI_WRITER')], 'elsewhere'],
  ])('where %s', (_, wish, held, kind) => {
    expect(decideAttach(wish, held).kind).toBe(kind)
  })

  test('never has two nodes where one may, whatever is asked in whatever order', () => {
    const asked = fc.record({
      node: fc.constantFrom('a', 'b', 'c'),
      mode: fc.constantFrom(...Object.values(accessModes)),
      isReadonly: fc.boolean(),
      leaves: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 12 }), steps => {
        let held: readonly Attachment[] = []
        for (const { leaves, ...wish } of steps) {
          if (leaves) held = held.filter(({ node }) => node !== wish.node)
          else if (decideAttach(wish, held).kind === 'attach') held = [...held, wish]
          const nodes = new Set(held.map(({ node }) => node))
          expect(nodes.size).toBe(held.length)
          if (held.some(isForOneNode)) expect(held).toHaveLength(1)
        }
      }),
      { numRuns: 200 },
    )
  })
})
