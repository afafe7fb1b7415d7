package password_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorward/doorward/password"
)

// A program with its own users table keeps the hash in a text column.
func Example() {
	ctx := context.Background()
	hasher := password.New(password.Config{}) // one for the whole program
	users := map[string]string{}

	// Somebody registers.
	if err := password.Check("four unrelated words", 0); err != nil {
		fmt.Println(err)
	}
	hash, err := hasher.Hash(ctx, "four unrelated words")
	if err != nil {
		fmt.Println(err)
	}
	users["ada"] = hash
	users["old"] = "$2a$04$nRqrlzTN1UBjWB6MzOUfK.uD1xodRgrRJnIVZjZHvvKhGZSirNm5a" // from a program before this one

	// Somebody logs in.
	login := func(name, text string) error {
		hash, ok := users[name]
		if !ok {
			return hasher.VerifyNothing(ctx, text) // as slow as a wrong password
		}
		rehash, err := hasher.Verify(ctx, hash, text)
		if rehash { // the password is right, and the hash an old one
			stronger, err := hasher.Hash(ctx, text)
			if err == nil && users[name] == hash { // in SQL: UPDATE … WHERE name = $1 AND hash = $2
				users[name] = stronger
			} // if not, the next login will do
		}
		return err
	}
	fmt.Println("right:", login("ada", "four unrelated words"))
	old := users["old"]
	fmt.Println("bcrypt:", login("old", "four unrelated words"), users["old"] != old)
	fmt.Println("wrong:", errors.Is(login("ada", "five unrelated words"), password.ErrMismatch))
	fmt.Println("no such user:", errors.Is(login("bob", "four unrelated words"), password.ErrMismatch))
	// Output:
	// right: <nil>
	// bcrypt: <nil> true
	// wrong: true
	// no such user: true
}

func ExampleCheck() {
	fmt.Println(password.Check("Tr0ub4dor&3", 0))
	fmt.Println(password.Check("four unrelated words", 0))
	// Output:
	// password: the password has 11 characters: choose a password of at least 15 characters; four or five unrelated words are easy to remember
	// <nil>
}
