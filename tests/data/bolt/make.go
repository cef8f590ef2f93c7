// Makes the databases beside it: go run make.go DIRECTORY, with etcd's bbolt.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func with(name string, pageSize int, fill func(tx *bolt.Tx) error, more ...func(tx *bolt.Tx) error) {
	path := filepath.Join(os.Args[1], name)
	os.Remove(path)
	db, err := bolt.Open(path, 0644, &bolt.Options{PageSize: pageSize, InitialMmapSize: 0})
	check(err)
	db.AllocSize = 4096
	check(db.Update(fill))
	for _, next := range more {
		check(db.Update(next))
	}
	check(db.Close())
}

func bucket(tx *bolt.Tx, name string) *bolt.Bucket {
	made, err := tx.CreateBucketIfNotExists([]byte(name))
	check(err)
	return made
}

func main() {
	// (module (memory (export "memory") 1) (func (export "_start")))
	wasm := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01" +
		"\x07\x13\x02\x06memory\x02\x00\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b")
	ref := fmt.Sprintf("sha256:%x", sha256.Sum256(wasm))
	// A custom section of 20 kB, which takes pages beyond the first.
	random := rand.New(rand.NewSource(1))
	padding := make([]byte, 20000)
	random.Read(padding)
	large := append(append([]byte{}, wasm...), 0x00, 0xa2, 0x9c, 0x01, 0x01, 'x')
	large = append(large, padding...)
	largeSum := sha256.Sum256(large)

	with("storage.db", 4096, func(tx *bolt.Tx) error {
		blobs, aliases := bucket(tx, "blob"), bucket(tx, "alias")
		check(blobs.Put([]byte(ref), wasm))
		check(blobs.Put(largeSum[:], large))
		check(aliases.Put([]byte("nothing.wasm"), []byte(ref)))
		check(aliases.Put([]byte("large.wasm"), largeSum[:]))
		check(aliases.Put([]byte("nowhere.wasm"), bytes.Repeat([]byte{1}, 32)))
		// The same as a message File: its media type is field 2, its content field 3.
		third := append(append([]byte{}, wasm...), 0x00, 0x02, 0x01, 'y')
		message := append([]byte("\x12\x10application/wasm\x1a"), byte(len(third)))
		thirdSum := sha256.Sum256(third)
		check(bucket(tx, "message").Put([]byte(fmt.Sprintf("%x", thirdSum)), append(message, third...)))
		check(bucket(tx, "named").Put([]byte("by-name.wasm"), append(append([]byte{}, wasm...), 0x00, 0x02, 0x01, 'z')))
		return bucket(tx, "other").Put([]byte("version"), []byte("1"))
	})
	with("many.db", 1024, func(tx *bolt.Tx) error {
		keys := bucket(tx, "keys")
		for i := 0; i < 600; i++ {
			check(keys.Put([]byte(fmt.Sprintf("key %04d", i)), []byte(fmt.Sprintf("value %d", i*i))))
		}
		deep := bucket(tx, "deep")
		for i := 0; i < 5; i++ {
			made, err := deep.CreateBucket([]byte(fmt.Sprintf("level %d", i)))
			check(err)
			check(made.Put([]byte(fmt.Sprintf("at %d", i)), []byte("here")))
			deep = made
		}
		return nil
	}, func(tx *bolt.Tx) error {
		for i := 0; i < 600; i += 2 {
			check(tx.Bucket([]byte("keys")).Delete([]byte(fmt.Sprintf("key %04d", i))))
		}
		return nil
	})
	with("empty.db", 4096, func(tx *bolt.Tx) error { return nil })
	// For the fuzzer: few and small pages, a bucket in a page's value, one of its own page, an overflow.
	with("small.db", 1024, func(tx *bolt.Tx) error {
		check(bucket(tx, "in place").Put([]byte("a"), []byte("1")))
		paged, err := bucket(tx, "nested").CreateBucket([]byte("paged"))
		check(err)
		for i := 0; i < 12; i++ {
			check(paged.Put([]byte(fmt.Sprintf("key %d", i)), bytes.Repeat([]byte{byte(i)}, 150)))
		}
		return bucket(tx, "large").Put([]byte("large"), bytes.Repeat([]byte{7}, 1500))
	})
}
