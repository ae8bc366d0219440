package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"recoup/billing"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// ReadLines reads JSON Lines: one object per line, of the kinds account, payment_method, credit, deposit and invoice (see
// docs/import.md). It is strict: unknown, repeated, missing or wrongly typed fields are errors. A *billing.BatchProblems lists what is
// wrong with the file; any other error means it could not be read.
func ReadLines(in io.Reader) (billing.Batch, error) {
	r := newReader()
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), LineBytesMax)
	for line := 1; scanner.Scan(); line++ {
		text := scanner.Bytes()
		if line == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		r.object(line, text)
		if r.batch.Len() > ObjectsMax {
			break // done says so
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return billing.Batch{}, fmt.Errorf("has a line of more than %d bytes", LineBytesMax)
	} else if err != nil {
		return billing.Batch{}, err
	}
	r.checkTogether()
	return r.done()
}

// object reads one line.
func (r *reader) object(line int, text []byte) {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &head, refuseNull); err != nil {
		r.undecodable(line, "", err)
		return
	}
	f := fields{reader: r, line: line, kind: head.Kind}
	switch head.Kind {
	case "account":
		decode(f, text, f.account)
	case "payment_method":
		decode(f, text, f.method)
	case "credit":
		decode(f, text, f.credit)
	case "deposit":
		decode(f, text, f.deposit)
	case "invoice":
		decode(f, text, f.invoice)
	case "":
		r.problems.Add(line, "kind", "must be given: account, payment_method, credit, deposit or invoice")
	default:
		r.problems.Add(line, "kind", "%q is none of account, payment_method, credit, deposit, invoice", head.Kind)
	}
}

func decode[T any](f fields, text []byte, take func(T)) {
	var object T
	if err := json.Unmarshal(text, &object, json.RejectUnknownMembers(true), refuseNull); err != nil {
		f.undecodable(f.line, f.kind, err)
		return
	}
	take(object)
}

var errNull = errors.New("must not be null: leave the field out")

// refuseNull: the library reads null as the zero value, and a null amount is not 0.
var refuseNull = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, _ any) error {
	if dec.PeekKind() != 'n' {
		return json.SkipFunc
	}
	if _, err := dec.ReadValue(); err != nil {
		return err // not null but, say, nonsense
	}
	return errNull
}))

// undecodable turns the library's errors into a field and a sentence.
func (r *reader) undecodable(line int, kind string, err error) {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		r.problems.Add(line, fieldName(kind, semantic.JSONPointer), "%s", sayWrong(semantic))
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		r.problems.Add(line, fieldName(kind, syntactic.JSONPointer), "is given twice")
	case errors.As(err, &syntactic):
		r.problems.Add(line, fieldName(kind, syntactic.JSONPointer), "is no JSON: %v", syntactic.Err)
	default:
		r.problems.Add(line, kind, "%v", err)
	}
}

func sayWrong(err *json.SemanticError) string {
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "is no field of this kind"
	case errors.Is(err, errNull):
		return errNull.Error()
	case err.GoType == nil:
		return err.Error()
	}
	want := map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Int: "a whole number",
		reflect.Slice: "a list", reflect.Struct: "an object"}[err.GoType.Kind()]
	if want == "" || err.JSONKind == 0 {
		return err.Error()
	}
	return fmt.Sprintf("must be %s, not %s", want, map[jsontext.Kind]string{'"': "a string", '0': "this number", 't': "true", 'f': "false",
		'{': "an object", '[': "a list", 'n': "null"}[err.JSONKind])
}

// fieldName turns a JSON pointer into the name a person would say: /lines/0/amount of an invoice is invoice.lines[0].amount.
func fieldName(kind string, pointer jsontext.Pointer) string {
	name := kind
	for token := range pointer.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			name += "[" + token + "]"
		case name == "":
			name = token
		default:
			name += "." + token
		}
	}
	return name
}
