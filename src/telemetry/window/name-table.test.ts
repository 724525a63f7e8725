import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NameTable } from './name-table.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

describe('NameTable', () => {
  it('gives equal names one number and different names different ones, however many there are', () => {
    const names = new NameTable()
    const ids = new Map<string, number>()
    const odd = fc.sample(fc.string({ unit: 'binary', maxLength: 20 }), 500).map((it) => it.toWellFormed().replaceAll('\0', '.'))
    const texts = [...odd, '\ufeffx', ...Array.from({ length: 5000 }, (_, n) => `GET /${n}`)]
    for (const text of [...texts, ...texts]) {
      const bytes = bytesOf(`<<${text}>>`)
      const id = names.intern(bytes, 2, bytes.length - 2)
      assert.equal(names.find(bytes, 2, bytes.length - 2), id)
      assert.equal(ids.get(text) ?? id, id)
      ids.set(text, id)
      assert.equal(names.text(id), text)
    }
    assert.equal(new Set(ids.values()).size, ids.size)
  })

  it('has numbers for nothing and for the rest', () => {
    const names = new NameTable()
    assert.equal(names.internText(''), NameTable.NONE)
    assert.equal(names.text(NameTable.OTHER), 'other')
    assert.equal(names.findText('unheard of'), -1)
  })

  it('calls what there is no room for `other`, and says how often', () => {
    const byCount = new NameTable({ maxNames: 10 })
    const ids = Array.from({ length: 50 }, (_, n) => byCount.internText(`name ${n}`))
    assert.equal(ids.filter((id) => id === NameTable.OTHER).length, 42)
    assert.equal(byCount.turnedAway, 42)
    assert.equal(byCount.internText('name 3'), ids[3], 'what is known stays known')
    const bySize = new NameTable({ maxBytes: 100 })
    for (let n = 0; n < 50; n++) bySize.internText(`name ${n}`)
    assert.ok(bySize.turnedAway > 30)
  })

  it('cuts long names between characters', () => {
    const names = new NameTable()
    const text = names.text(names.internText(`${'x'.repeat(255)}é`))
    assert.equal(text, 'x'.repeat(255))
  })

  it('keeps no byte that a database would not store', () => {
    const names = new NameTable()
    assert.equal(names.text(names.internText('a\0b')), 'a\ufffdb')
    assert.equal(names.text(names.intern(Uint8Array.of(0xff, 0x61), 0, 2)), '\ufffda')
  })
})
