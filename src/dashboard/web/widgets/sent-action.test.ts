import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ActionEvent, afterEvent, mayPress, nothingSent, sentText } from './sent-action.ts'

const pressed = (action: 'approve' | 'pause' | 'twin/advance' = 'approve', nowMs = 0): ActionEvent => ({
  type: 'pressed',
  action,
  seen: 'Proposed',
  nowMs,
})
const passed = (...events: readonly ActionEvent[]) => events.reduce(afterEvent, nothingSent)

describe('an action', () => {
  test.each<{ name: string; events: readonly ActionEvent[]; state: string; text: string | undefined }>([
    { name: 'none', events: [], state: 'none', text: undefined },
    { name: 'is sent', events: [pressed()], state: 'sending', text: 'Sent; waiting to see it' },
    {
      name: 'is answered, and not seen yet',
      events: [pressed(), { type: 'answered', nowMs: 5 }],
      state: 'sent',
      text: 'Sent; waiting to see it',
    },
    {
      name: 'is seen',
      events: [pressed(), { type: 'answered', nowMs: 5 }, { type: 'shown', seen: 'Running' }],
      state: 'none',
      text: undefined,
    },
    {
      name: 'is seen before its answer',
      events: [pressed(), { type: 'shown', seen: 'Running' }, { type: 'answered', nowMs: 5 }],
      state: 'none',
      text: undefined,
    },
    {
      name: 'is not seen by what changes nothing',
      events: [pressed(), { type: 'shown', seen: 'Proposed' }],
      state: 'sending',
      text: 'Sent; waiting to see it',
    },
    {
      name: 'of a twin is done when it is answered: a minute on changes nothing of what is compared',
      events: [pressed('twin/advance'), { type: 'answered', nowMs: 5 }],
      state: 'none',
      text: undefined,
    },
    {
      name: 'of a twin whose answer is lost may have been done',
      events: [pressed('twin/advance'), { type: 'lost', nowMs: 5 }],
      state: 'sent',
      text: 'Sent; waiting to see it',
    },
    {
      name: 'is not seen for 10 s',
      events: [pressed(), { type: 'answered', nowMs: 5 }, { type: 'time', nowMs: 10_005 }],
      state: 'unconfirmed',
      text: 'Not confirmed. Look at the plan before trying again.',
    },
    {
      name: 'is not given up before',
      events: [pressed(), { type: 'answered', nowMs: 5 }, { type: 'time', nowMs: 10_004 }],
      state: 'sent',
      text: 'Sent; waiting to see it',
    },
    {
      name: 'whose answer is lost may have been done',
      events: [pressed(), { type: 'lost', nowMs: 5 }, { type: 'time', nowMs: 20_000 }],
      state: 'unconfirmed',
      text: 'Not confirmed. Look at the plan before trying again.',
    },
    {
      name: 'is seen late',
      events: [pressed(), { type: 'lost', nowMs: 5 }, { type: 'time', nowMs: 20_000 }, { type: 'shown', seen: 'Running' }],
      state: 'none',
      text: undefined,
    },
    {
      name: 'is refused',
      events: [pressed(), { type: 'refused', message: 'The plan has changed.', remedy: 'Look at it again.' }],
      state: 'refused',
      text: 'The plan has changed. Look at it again.',
    },
  ])('$name', ({ events, state, text }) => {
    expect(passed(...events).state).toBe(state)
    expect(sentText(passed(...events))).toBe(text)
  })

  test('can be sent again when it was not confirmed, not before', () => {
    const sent = passed(pressed(), { type: 'answered', nowMs: 0 })
    expect(mayPress(sent, 'approve')).toBe(false)
    expect(afterEvent(sent, pressed('approve', 9_000))).toBe(sent)
    expect(mayPress(afterEvent(sent, { type: 'time', nowMs: 10_000 }), 'approve')).toBe(true)
  })

  test('does not hold up a pause', () =>
    expect(passed(pressed(), pressed('pause', 1))).toMatchObject({ state: 'sending', action: 'pause' }))

  test('that paused can be taken back before it is seen', () => {
    expect(mayPress(passed(pressed('pause')), 'resume')).toBe(true)
    expect(mayPress(passed(pressed('approve')), 'resume')).toBe(false)
    expect(mayPress(passed(pressed('pause')), 'pause')).toBe(false)
  })

  test('whatever happens, between two presses that count it was seen, refused or given up', () => {
    const event = fc.oneof(
      fc.constant(pressed()),
      fc.nat(30_000).map((nowMs): ActionEvent => ({ type: 'time', nowMs })),
      fc.nat(30_000).map((nowMs): ActionEvent => ({ type: 'answered', nowMs })),
      fc.constant<ActionEvent>({ type: 'lost', nowMs: 1 }),
    )
    fc.assert(
      fc.property(fc.array(event), events => {
        let sent = nothingSent
        for (const one of events) {
          const next = afterEvent(sent, one)
          if (one.type === 'pressed' && next !== sent) expect(['none', 'unconfirmed', 'refused']).toContain(sent.state)
          sent = next
        }
      }),
    )
  })
})
