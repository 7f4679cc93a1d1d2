// One symbol from its logits: the filters of decoding/filters.py and the rule of rng.draw, float64.
// Of equally likely symbols the first counts as the likelier, as there.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "sampler.hpp"
#include "sampler_exp.hpp"

namespace recurra::RECURRA_SET::sampling {

// Probabilities stay unnormalised: filters and draw compare shares of a total, for which the total
// need not be 1. Holds the memory of one run, used again at every symbol.
class Chooser {
public:
    explicit Chooser(Index symbols)
        : symbols_(symbols), weights_((std::size_t)whole_vectors(symbols)),
          cumulative_((std::size_t)symbols) {}

    // The symbol; `nats` becomes −ln p of it under the logits as they are, without filters. Logits
    // (V,) have room up to whole vectors, and so have they elsewhere here.
    Index draw(float* logits, const Filters& filters, double uniform, double& nats) {
        const double nats_of_first = nats_of(logits, 0);  // and weights_ at temperature 1
        const double first = logits[0];
        const float* allowed = logits;
        if (filters.never_count) {
            allowed_.assign(logits, logits + weights_.size());
            for (Index i = 0; i < filters.never_count; ++i)
                allowed_[filters.never[i]] = -HUGE_VALF;
            allowed = allowed_.data();
        }
        if (filters.never_count || filters.temperature != 1) {
            const double highest = largest(allowed);
            if (filters.temperature == 0) only_likeliest(allowed, highest);
            else weigh(allowed, highest, filters.temperature);
        }
        if (filters.top_k && filters.top_k < symbols_) keep_top_k(allowed, filters.top_k);
        if (filters.top_p != 0) keep_top_p(allowed, filters.top_p);
        const Index chosen = inverse(uniform);
        nats = nats_of_first + (first - logits[chosen]);
        return chosen;
    }

    // −ln p(target)
    double nats_of(float* logits, Index target) {
        for (Index i = symbols_; i < (Index)weights_.size(); ++i) logits[i] = -HUGE_VALF;
        const double highest = largest(logits);
        return std::log(weigh(logits, highest, 1)) - (logits[target] - highest);
    }

private:
    struct Ranked {
        float logit;
        Index id;
    };
    static bool likelier(const Ranked& a, const Ranked& b) {
        return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
    }
    static bool less_likely(const Ranked& a, const Ranked& b) { return likelier(b, a); }

    double largest(const float* logits) const {
        Vec most = load(logits);
        for (std::size_t at = lanes; at < weights_.size(); at += lanes) {
            const Vec next = load(logits + at);
            most = most > next ? most : next;
        }
        float result = most[0];
        for (int lane = 1; lane < lanes; ++lane) result = std::max(result, most[lane]);
        return result;
    }

    // weights_ = e^((logit − highest) / temperature); returns their sum, in an order of its own.
    double weigh(const float* logits, double highest, double temperature) {
        Doubles total{};
        for (std::size_t at = 0; at < weights_.size(); at += doubles) {
            const Doubles weight = exp_below_zero((widened(logits + at) - highest) / temperature);
            store(weights_.data() + at, weight);
            total += weight;
        }
        double sum = 0;
        for (int lane = 0; lane < doubles; ++lane) sum += total[lane];
        return sum;
    }

    void only_likeliest(const float* logits, double highest) {
        Index likeliest = 0;
        while (likeliest < symbols_ - 1 && logits[likeliest] != highest) ++likeliest;
        std::fill(weights_.begin(), weights_.end(), 0.0);
        weights_[likeliest] = 1;
    }

    // Fills ranked_, in id order; returns the total. NaN stays out: it has no rank.
    double rank(const float* logits) {
        ranked_.clear();
        double total = 0;
        for (Index i = 0; i < symbols_; ++i) {
            if (!(weights_[i] > 0)) continue;
            ranked_.push_back({logits[i], i});
            total += weights_[i];
        }
        return total;
    }

    void keep_top_k(const float* logits, Index k) {
        rank(logits);
        if ((Index)ranked_.size() <= k) return;
        const auto border = ranked_.begin() + k;
        std::nth_element(ranked_.begin(), border, ranked_.end(), likelier);
        for (auto one = border; one != ranked_.end(); ++one) weights_[one->id] = 0;
    }

    // From a heap the likeliest few, which hold the share p, come out first; the rest is not sorted.
    void keep_top_p(const float* logits, double p) {
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
    Index inverse(double uniform) {
        double total = 0;
        for (Index i = 0; i < symbols_; ++i) cumulative_[i] = total += weights_[i];
        const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), uniform * total);
        if (found != cumulative_.end()) return found - cumulative_.begin();
        Index last = symbols_ - 1;  // uniform * total was rounded up to the total
        while (last > 0 && weights_[last] == 0) --last;
        return last;
    }

    const Index symbols_;
    std::vector<double> weights_;  // unnormalised probabilities, 0 for what is filtered out
    std::vector<double> cumulative_;
    std::vector<float> allowed_;  // logits, −∞ for `never`
    std::vector<Ranked> ranked_;  // what weighs more than nothing
};

}  // namespace recurra::RECURRA_SET::sampling
