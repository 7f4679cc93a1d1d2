// Of equally likely symbols the first counts as the likelier, as in decoding/filters.py.
#include "choose.hpp"

#include <algorithm>
#include <cmath>

namespace recurra {

Chooser::Chooser(Index symbols) : symbols_(symbols), weights_((std::size_t)symbols) {}

bool Chooser::likelier(const Ranked& a, const Ranked& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

double Chooser::nats_of(const float* logits, Index target) {
    const double highest = *std::max_element(logits, logits + symbols_);
    weigh(logits, highest, 1);
    double total = 0;
    for (const double weight : weights_) total += weight;
    return std::log(total) - (logits[target] - highest);
}

Index Chooser::draw(const float* logits, const Filters& filters, double uniform, double& nats) {
    const float* const unfiltered = logits;
    const double nats_of_first = nats_of(logits, 0);  // and weights_ at temperature 1
    if (filters.never_count) {
        allowed_.assign(logits, logits + symbols_);
        for (Index i = 0; i < filters.never_count; ++i) allowed_[filters.never[i]] = -HUGE_VALF;
        logits = allowed_.data();
    }
    if (filters.never_count || filters.temperature != 1) {
        const double highest = *std::max_element(logits, logits + symbols_);
        if (filters.temperature == 0) only_likeliest(logits, highest);
        else weigh(logits, highest, filters.temperature);
    }
    if (filters.top_k && filters.top_k < symbols_) keep_top_k(logits, filters.top_k);
    if (filters.top_p != 0) keep_top_p(logits, filters.top_p);
    const Index chosen = inverse(uniform);
    nats = nats_of_first + ((double)unfiltered[0] - unfiltered[chosen]);
    return chosen;
}

void Chooser::weigh(const float* logits, double highest, double temperature) {
    for (Index i = 0; i < symbols_; ++i)
        weights_[i] = std::exp((logits[i] - highest) / temperature);
}

void Chooser::only_likeliest(const float* logits, double highest) {
    Index likeliest = 0;
    while (likeliest < symbols_ - 1 && logits[likeliest] != highest) ++likeliest;
    std::fill(weights_.begin(), weights_.end(), 0.0);
    weights_[likeliest] = 1;
}

// Fills ranked_, in id order; returns the total. NaN stays out: it has no rank.
double Chooser::rank(const float* logits) {
    ranked_.clear();
    double total = 0;
    for (Index i = 0; i < symbols_; ++i) {
        if (!(weights_[i] > 0)) continue;
        ranked_.push_back({logits[i], i});
        total += weights_[i];
    }
    return total;
}

void Chooser::keep_top_k(const float* logits, Index k) {
    rank(logits);
    if ((Index)ranked_.size() <= k) return;
    const auto border = ranked_.begin() + k;
    std::nth_element(ranked_.begin(), border, ranked_.end(), likelier);
    for (auto one = border; one != ranked_.end(); ++one) weights_[one->id] = 0;
}

// From a heap the likeliest few, which hold the share p, come out first; the rest is never sorted.
void Chooser::keep_top_p(const float* logits, double p) {
    // What rounding leaves of p is not worth a symbol, as in decoding/filters.py.
    const double enough = rank(logits) * p * (1 - 1e-12);
    std::make_heap(ranked_.begin(), ranked_.end(), less_likely);
    double held = 0;
    auto rest = ranked_.end();
    while (rest != ranked_.begin() && held < enough) {
        std::pop_heap(ranked_.begin(), rest, less_likely);
        held += weights_[(--rest)->id];
    }
    for (auto one = ranked_.begin(); one != rest; ++one) weights_[one->id] = 0;
}

// The first index whose cumulative sum exceeds uniform * total.
Index Chooser::inverse(double uniform) const {
    double total = 0;
    for (const double weight : weights_) total += weight;
    const double wanted = uniform * total;
    double cumulative = 0;
    for (Index i = 0; i < symbols_; ++i)
        if ((cumulative += weights_[i]) > wanted) return i;
    Index last = symbols_ - 1;  // uniform * total was rounded up to the total
    while (last > 0 && weights_[last] == 0) --last;
    return last;
}

}  // namespace recurra
