import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { displayWidth, escapeControl, padEnd, truncate } from './escape.ts'

test('control characters are shown as their code, tabs and text stay', () => {
  assert.equal(escapeControl('\u001b[2J\u001b]0;title\u0007 a\tb \r\u009b1m'), '\\x1b[2J\\x1b]0;title\\x07 a\tb \\x0d\\x9b1m')
  assert.equal(escapeControl('abc\u202etxt.exe'), 'abc\\u202etxt.exe')
  assert.equal(escapeControl('grün ✓ 日本'), 'grün ✓ 日本')
})

test('nothing that was escaped can steer a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex -- control characters are what this is about
      assert.doesNotMatch(escapeControl(text), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
    }),
  )
})

test('width counts columns: wide characters two, colours and combining marks none', () => {
  assert.equal(displayWidth('日本'), 4)
  assert.equal(displayWidth('\u001b[31mred\u001b[39m'), 3)
  assert.equal(displayWidth('e\u0301'), 1)
  assert.equal(padEnd('日', 4), '日  ')
})

test('a cut text never has more columns than it may have', () => {
  assert.equal(truncate('abcdef', 4), 'abc…')
  assert.equal(truncate('日本語', 4), '日…')
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, width) => displayWidth(truncate(text, width)) <= width))
})
