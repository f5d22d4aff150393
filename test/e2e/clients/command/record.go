package command

import (
	"net/http"
	"sync"
)

// Request is one request of the client as it left: the query is cut, since it may hold a signature.
type Request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Range  string `json:"range,omitempty"`
	Status int    `json:"status"`
}

type recorder struct {
	next     http.RoundTripper
	mutex    sync.Mutex
	requests []Request
}

// record puts itself in the place of Go's default transport, which all generations use (only the presigned PUT of 0.2.2 has its own).
func record() *recorder {
	r := &recorder{next: http.DefaultTransport, requests: []Request{}}
	http.DefaultTransport = r
	return r
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	location := *request.URL
	location.RawQuery = ""
	response, err := r.next.RoundTrip(request)
	taken := Request{Method: request.Method, URL: location.String(), Range: request.Header.Get("Range")}
	if response != nil {
		taken.Status = response.StatusCode
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.requests = append(r.requests, taken)
	return response, err
}

func (r *recorder) taken() []Request {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.requests
}
